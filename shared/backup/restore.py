"""A stopped hub: backing up its data directory, and restoring a backup into an empty one.

A backup is unpacked into a draft and checked there in full, before any file of it is moved into place.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import secrets
import tarfile
from datetime import UTC, datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import orjson

from shared.backup.checking import must_be_sound
from shared.clock import Clock
from shared.hub import engine_of, open_hub
from shared.problems import StartError, StorageUnavailable
from shared.saved import fitting
from shared.settings import Settings
from shared.storage.archive import FIRST, FORMAT, KIND, LAST, NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.storage.archive import RestoreTarget

_MOST_BYTES = 1 << 30
_MOST_QUOTED = 300
# Errors of the volume that a file's name causes: it is too long, or another file has it.
_BY_NAMES = {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}
SERIALS_APART = 1 << 20
"""How far a restored hub's serial is ahead at least: no hub has given so many serials since its backup."""
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_MICROSECONDS = 1 << 52
_SPREAD_BY_TIME, _SPREAD_WITHOUT = 1 << 20, 1 << 36


class Restored(NamedTuple):
    """A restored backup: its first member as ``{"kind", "format", "version", "made_at", …}``, and two counts."""

    about: dict[str, Any]
    files: int
    registrations: int


def restore(backup: IO[bytes], folder: Path, clock: Clock | None = None) -> Restored:
    """Make *folder* the data directory as it was when *backup*, a tar, was taken, with a serial that no hub has given.

    Raise StartError when *folder* is in use or not empty, or when *backup* is damaged, no backup of a hub, or of a
    newer format; *folder* is then as empty as before. Raise it too when the volume fails, and say what is left.
    """
    clock = clock or Clock()
    with engine_of(Settings(data_dir=folder), clock).restore_target() as target:
        restored, serial = _checked(_unpacked(backup, target), target, clock)
        # A reader that has a serial which was given since the backup gets a 410 for changes and reads the whole
        # document, where changes between two unrelated documents would spoil its copy.
        target.move_on(_unused_after(serial, clock.now()))
    return restored


class _About(NamedTuple):
    kind: str
    format: int
    version: str
    made_at: str
    serial: int
    registrations: int


class _Unpacked(NamedTuple):
    about: dict[str, Any]
    sums: dict[str, dict[str, Any]]
    expected: object


def _unpacked(backup: IO[bytes], target: RestoreTarget) -> _Unpacked:
    """Put the files of *backup* into *target*; return their digests, and those that its last member states.

    Raise StartError where it is cut off, damaged, or no backup of a hub.
    """
    with _as_damage(), tarfile.open(fileobj=backup, mode="r|") as tar:
        members = _members(tar)
        about = _about(next(members, None))
        sums: dict[str, dict[str, Any]] = {}
        for name, content in members:
            if name == LAST:
                return _Unpacked(about, sums, orjson.loads(content))
            if name in sums:
                raise StartError(f"The backup holds {name!r} twice, which no backup of a hub does.")
            sums[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            target.put(name, content)
    raise StartError("The backup is cut off: its end is missing.")


@contextlib.contextmanager
def _as_damage() -> Iterator[None]:
    """Turn every exception inside into a StartError that says "damaged": untrusted bytes are parsed there.

    The parsers of tar, of JSON and of the hub's own files raise exceptions of many kinds for bytes that they don't
    expect. An error of the volume passes unchanged, unless a file name in the backup caused it.
    """
    try:
        yield
    except (StartError, StorageUnavailable):
        raise
    except Exception as fault:
        if isinstance(fault, OSError) and fault.errno not in _BY_NAMES:
            raise
        text = str(fault) or type(fault).__name__
        raise StartError(f"The backup is damaged: {text[:_MOST_QUOTED].rstrip('.')}.") from fault


def _members(tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each member of *tar*; raise StartError for any but a regular file in a hub's folders."""
    for member in tar:
        whole = member.isreg() and not member.issparse() and 0 <= member.size <= _MOST_BYTES
        file = tar.extractfile(member) if whole and NAME.fullmatch(member.name) else None
        if file is None:
            raise StartError(f"The backup holds {member.name[:_MOST_QUOTED]!r}, which no backup of a hub does.")
        yield member.name, file.read()


def _about(first: tuple[str, bytes] | None) -> dict[str, Any]:
    name, content = first or ("", b"")
    about = orjson.loads(content) if name == FIRST else {}
    if not isinstance(about, dict) or about.get("kind") != KIND:
        raise StartError("This is no backup of a hub.")
    number = about.get("format")
    if isinstance(number, int) and number > FORMAT:
        raise StartError(
            f"The backup was made by {about.get('version')} in format {number}; this version knows formats "
            f"up to {FORMAT}. Restore it with the version that made it, or a newer one."
        )
    fitting(_About(*map(about.get, _About._fields)))  # type: ignore[arg-type]  # that is what is tried
    return about


class _Checked(NamedTuple):
    restored: Restored
    serial: int


def _checked(unpacked: _Unpacked, target: RestoreTarget, clock: Clock) -> _Checked:
    """Return the facts of a backup whose digests match and whose hub opens and composes a valid index, and its serial.

    Raise StartError otherwise.
    """
    about, sums, expected = unpacked
    if not isinstance(expected, dict):
        raise StartError(f"The backup is damaged: {LAST} holds no sums.")
    wrong = sorted(name for name in sums.keys() | expected.keys() if sums.get(name) != expected.get(name))
    if wrong:
        raise StartError(f"The backup is damaged: {', '.join(wrong[:5])} is not what was backed up.")
    with _as_damage():
        hub = open_hub(Settings(refresh=False), clock, target.engine())
        with contextlib.closing(hub):
            # Where the file of the serial was lost this gives one, without which no document is valid.
            hub.federation.begin()
            count, serial = len(hub.sources.followed()), hub.federation.document.serial
            must_be_sound(hub)
    if count != about["registrations"]:
        raise StartError(f"The backup is damaged: {about['registrations']} registrations became {count}.")
    return _Checked(Restored(about, len(sums), count), serial)


def _unused_after(serial: int, now: datetime) -> int:
    """Return a serial far ahead of *serial* that another restore of the same backup does not reach.

    It is the number of microseconds since 2026, plus a random second of them: a hub takes a tenth of a second for each
    serial, and so stays behind the start of every later restore. Where the clock is behind *serial* only the random
    part keeps two restores apart. All are below 2**53, up to which every reader of JSON has exact integers (RFC 8259
    §6).
    """
    by_time = (now - _EPOCH) // timedelta(microseconds=1)
    if serial + SERIALS_APART < by_time < _MOST_MICROSECONDS:
        return by_time + secrets.randbelow(_SPREAD_BY_TIME)
    return serial + SERIALS_APART + secrets.randbelow(_SPREAD_WITHOUT)


def back_up(folder: Path) -> bytes:
    """Return the backup, a tar, of the stopped hub whose data directory is *folder*, which stays unchanged.

    Raise StartError when it is no data directory, a hub runs on it, or it is damaged or can't be read.
    """
    with engine_of(Settings(data_dir=folder), Clock()).at_rest() as snapshot:
        return b"".join(snapshot.stream())
