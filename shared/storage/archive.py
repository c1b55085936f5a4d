"""A backup: a tar that proves itself whole, the same whichever engine gave it.

Its first member says what it is, its last one holds the sizes and digests of all between; one that was cut off has no
last member. What lies between are files, named and written as those of a data directory.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shared.storage.engine import Engine

MEDIA_TYPE = "application/x-tar"
KIND = "reuse-surface backup"
FORMAT = 1
FIRST, LAST = "backup.json", "checksums.json"
NAME = re.compile(r"[a-z0-9][A-Za-z0-9._-]*(/[a-z0-9][A-Za-z0-9._-]*)*")
"""What files of a hub are called, with their folder."""
_BLOCK = tarfile.BLOCKSIZE


class Snapshot(Protocol):
    """Everything durable as of one moment, until it is closed. *about* is the content of its first member."""

    about: dict[str, Any]

    def stream(self) -> Iterator[bytes]:
        """Yield it as a tar; for any thread."""
        ...

    def close(self) -> None:
        """Remove what was made for it; it can't be streamed any more."""
        ...


class RestoreTarget(Protocol):
    """An empty engine into which a backup is put. Nothing of it counts until the context that gave it ends well."""

    def put(self, name: str, content: bytes) -> None:
        """Take a file of the backup; raise StorageUnavailable, or OSError for a name that can't be one."""
        ...

    def engine(self) -> Engine:
        """Return an engine on what was put, to be opened and looked at; it is released before ``move_on``."""
        ...

    def move_on(self, serial: int) -> None:
        """Let *serial* be that of the last edition, without the change lines that lead to it."""
        ...


class Description(NamedTuple):
    """What a backup says of itself: when it was *made_at* (RFC 3339), its serial and how many are registered."""

    made_at: str
    serial: int
    registrations: int

    def as_json(self) -> dict[str, Any]:
        """Return the content of the first member."""
        return {"kind": KIND, "format": FORMAT, "version": VERSION, **self._asdict()}


class ArchivedFile(NamedTuple):
    """One file: its name, how many bytes it has, and what yields them."""

    name: str
    size: int
    pieces: Callable[[], Iterable[bytes]]


def archived(about: dict[str, Any], files: Iterable[ArchivedFile]) -> Iterator[bytes]:
    """Yield the tar of *files*, which *about* describes."""
    yield from _member(FIRST, orjson.dumps(about, option=orjson.OPT_INDENT_2))
    sums: dict[str, dict[str, Any]] = {}
    for name, size, pieces in files:
        digest = hashlib.sha256()
        yield _head(name, size)
        for piece in pieces():
            digest.update(piece)
            yield piece
        yield b"\0" * (-size % _BLOCK)
        sums[name] = {"bytes": size, "sha256": digest.hexdigest()}
    yield from _member(LAST, orjson.dumps(sums, option=orjson.OPT_INDENT_2))
    # Two blocks of zeros end a tar (POSIX.1-1988): without them tar reports a file that was cut off.
    yield b"\0" * _BLOCK * 2


def _head(name: str, size: int) -> bytes:
    about = tarfile.TarInfo(name)
    about.size, about.mode = size, 0o600
    # PAX, because the older format has no room for sizes from 8 GiB on.
    return about.tobuf(tarfile.PAX_FORMAT)


def _member(name: str, content: bytes) -> Iterator[bytes]:
    yield _head(name, len(content)) + content + b"\0" * (-len(content) % _BLOCK)
