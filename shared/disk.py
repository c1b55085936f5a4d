"""Files that are whole or not there: written as a draft, synced, renamed, and the folder synced."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from typing import IO, TYPE_CHECKING, Any

import orjson

from shared.problems import StartError, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREVIOUS = ".prev"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_HANDLES = {errno.EMFILE, errno.ENFILE}
_log = logging.getLogger("hub.files")


def write_whole(path: Path, content: bytes, *, keep_previous: bool = False) -> None:
    """Replace *path* by *content*, durably; the old file is intact whatever happens in between.

    Draft, fsync, rename, fsync of the folder: after the return the content survives a power cut. With *keep_previous*
    the old generation stays beside it (name + ``.prev``) where the volume lets it. Raise StorageUnavailable when the
    volume refuses. Where only the last fsync failed, the old content is put back, and the problem says what may bring
    the new one: a power failure, or any restart where the volume refuses to take the old content back.
    """
    draft = path.with_name(f".draft-{path.name}")
    write_draft(draft, content)
    before: IO[bytes] | None = None
    with contextlib.ExitStack() as stack:
        with _os_errors_as_problems(draft), contextlib.suppress(FileNotFoundError):
            # Held open, so that it can be read after another file has its name.
            before = stack.enter_context(path.open("rb"))
        if keep_previous and before:
            _keep_if_possible(path)
        with _os_errors_as_problems(draft):
            draft.replace(path)
        try:
            # An fsync of the file does not cover its name: that is in the folder (man 2 fsync).
            sync_folder(path.parent)
        except OSError as fault:
            raise storage_problem(fault, returns_by=_put_back(path, draft, before)) from fault


def _put_back(path: Path, draft: Path, before: IO[bytes] | None) -> str:
    """Restore the content *before* of *path*, by way of *draft*; return what may still bring the new content.

    The process goes on with the old content, so the next start should read that as well.
    """
    try:
        if before is None:
            path.unlink()
        else:
            # Synced: of a file that was renamed and not written out, a power failure may leave neither content.
            write_draft(draft, before.read())
            draft.replace(path)
    except (OSError, StorageUnavailable, MemoryError):
        return "a restart"
    return "a power failure"


def write_draft(path: Path, content: bytes) -> None:
    """Write *content* to *path* and sync it; on StorageUnavailable nothing is left there."""
    with _os_errors_as_problems(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb", buffering=0) as file:
            write_all(file, content)
            os.fsync(handle)


def rename(draft: Path, path: Path) -> None:
    """Put *draft* in the place of *path*; on StorageUnavailable the draft is gone and *path* is as it was."""
    with _os_errors_as_problems(draft):
        draft.replace(path)


@contextlib.contextmanager
def _os_errors_as_problems(*drafts: Path) -> Iterator[None]:
    """Raise StorageUnavailable for an OSError, with *drafts* removed."""
    try:
        yield
    except OSError as fault:
        for draft in drafts:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
        raise storage_problem(fault) from fault


def write_all(file: IO[bytes], content: bytes) -> None:
    """Write all of *content* to an unbuffered *file*: a call may write less, as where a disk has just become full."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _keep_if_possible(path: Path) -> None:
    """Keep what *path* holds as the previous generation.

    The previous generation is for people who repair something: that the volume refuses it never refuses a write.
    """
    try:
        _keep(path, PREVIOUS)
    except StorageUnavailable as fault:
        _log.warning("no previous generation of %s is kept, the write goes on: %s", path, fault.__cause__)


def _keep(path: Path, suffix: str) -> None:
    """Store the content of *path* under its name + *suffix* too: by a hard link, or a copy on volumes without links."""
    # By way of a spare name, because ``link`` refuses one that is taken, and removing that first would leave a moment
    # without a previous generation.
    spare = path.with_name(f".draft-{path.name}{suffix}")
    with _os_errors_as_problems(spare):
        spare.unlink(missing_ok=True)
        try:
            os.link(path, spare)
        except OSError:
            # exFAT, some FUSE and network file systems have no hard links, and say so by different errors.
            write_draft(spare, path.read_bytes())
        spare.replace(path.with_name(path.name + suffix))


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_REFUSED = "Nothing was changed; try again later."
_IN_DOUBT = (
    "The volume did not confirm what was written: the change does not count now, and {} may bring it back. Read what "
    "is there before you try again."
)


def storage_problem(fault: OSError, *, returns_by: str = "") -> StorageUnavailable:
    """Return the problem that *fault* is for a caller: 507 when the volume is full, else 503.

    Its *cause* says whether the volume is full, fails, or was not reached because this process has no file handle left.
    It says that nothing was changed, unless something may bring the change back, which it names then (*returns_by*).
    The log says what the volume answered.
    """
    _log.error("the volume refused a change: %s", fault)
    full = fault.errno in _FULL
    cause = "the hub's volume is full" if full else "the hub can't write to its volume"
    if fault.errno in _HANDLES:
        cause = "the hub may open no more files at present"
    what = _IN_DOUBT.format(returns_by) if returns_by else _REFUSED
    problem = StorageUnavailable(f"{cause[0].upper()}{cause[1:]}. {what}", status=507 if full else 503)
    problem.cause, problem.in_doubt = cause, bool(returns_by)
    return problem


def damaged(path: Path, what: str, remedy: str) -> StartError:
    """Return the error that stops the start because of *path*; the file itself is left as it is."""
    return StartError(f"{path} {what}. It was left untouched. {remedy}")


class NewerFormatError(ValueError):
    """A file of a format that only a newer version of the hub knows."""

    def __init__(self, file_format: int, newest: int, written_by: str | None = None) -> None:
        by = f", by {written_by}" if written_by else ""
        super().__init__(f"was written in format {file_format}{by}; this version knows formats up to {newest}")


_DOWNGRADE = "Start the newer version again, or restore a backup that this version or an older one made."


@contextlib.contextmanager
def trusted(path: Path, remedy: str) -> Iterator[None]:
    """Read *path* within; whatever is wrong with what it holds stops the start, naming it and the *remedy*."""
    try:
        yield
    except NewerFormatError as fault:
        raise damaged(path, str(fault), _DOWNGRADE) from fault
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise damaged(path, f"is damaged or in a format of another version ({type(fault).__name__})", remedy) from fault
    except OSError as fault:
        raise damaged(path, f"can't be read: {fault.strerror}", remedy) from fault


def content_of(path: Path, remedy: str) -> bytes | None:
    """Return what *path* holds, None where nothing has that name; raise StartError for what can't be read.

    Nobody asks before whether it is there: Path.exists also says no to a link that leads nowhere or in a circle, and
    from Python 3.14 on to a volume that fails. The hub would begin anew, and write over what it did not see.
    """
    with trusted(path, remedy):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            if path.is_symlink():
                raise
            return None


def parsed(content: bytes, file_format: int, oldest: int | None = None) -> Any:  # noqa: ANN401 - JSON not yet checked
    """Return the JSON object in *content*, or raise ValueError when its format is not *oldest* to *file_format*."""
    document = orjson.loads(content)
    if document["format"] > file_format:
        raise NewerFormatError(document["format"], file_format)
    if document["format"] < (oldest or file_format):
        raise ValueError(document["format"])
    return document


def keep_aside(path: Path, suffix: str) -> None:
    """Keep what *path* holds under its name + *suffix* as well, durably, or raise StorageUnavailable."""
    _keep(path, suffix)
    with _os_errors_as_problems():
        sync_folder(path.parent)
