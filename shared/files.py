"""Files that are whole or not there: written as a draft, synced, renamed, and the folder synced."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import IO, TYPE_CHECKING, Any

import orjson

from shared.problems import StartError, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREVIOUS = ".prev"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_whole(path: Path, content: bytes, *, keep_previous: bool = False) -> None:
    """Replace *path* by *content*, durably; the old file is intact whatever happens in between.

    Draft, fsync, rename, fsync of the folder: after the return the content survives a power cut. With *keep_previous*
    the old generation stays beside it (name + ``.prev``). Raise StorageUnavailable when the volume refuses.
    """
    draft, spare = path.with_name(f".draft-{path.name}"), path.with_name(f".draft-{path.name}{PREVIOUS}")
    write_draft(draft, content)
    with _os_errors_as_problems(draft, spare):
        if keep_previous and path.exists():
            _keep(path, spare)
        draft.replace(path)
        sync_folder(path.parent)


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
    """Write all of *content* to an unbuffered *file*: one call may take less than it was given."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def _keep(path: Path, spare: Path) -> None:
    spare.unlink(missing_ok=True)
    os.link(path, spare)
    spare.replace(path.with_name(path.name + PREVIOUS))


def sync_folder(folder: Path) -> None:
    """Make the names in *folder* durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def storage_problem(fault: OSError) -> StorageUnavailable:
    """Return the problem that *fault* is for a caller: 507 when the volume is full, else 503."""
    if fault.errno in _FULL:
        return StorageUnavailable("The hub's volume is full. Nothing was changed; try again later.", status=507)
    return StorageUnavailable("The hub can't write to its volume. Nothing was changed; try again later.")


def damaged(path: Path, what: str, remedy: str) -> StartError:
    """Return the error that stops the start because of *path*; the file itself is left as it is."""
    return StartError(f"{path} {what}. It was left untouched. {remedy}")


class NewerFormatError(ValueError):
    """A file of a format that only a newer version of the hub knows."""

    def __init__(self, found: int, known: int, written_by: str | None = None) -> None:
        by = f", by {written_by}" if written_by else ""
        super().__init__(f"was written in format {found}{by}; this version knows formats up to {known}")


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


def parsed(content: bytes, file_format: int) -> Any:  # noqa: ANN401 - JSON not yet checked
    """Return the JSON object in *content*, or raise ValueError when it is not of *file_format*."""
    document = orjson.loads(content)
    if document["format"] > file_format:
        raise NewerFormatError(document["format"], file_format)
    if document["format"] != file_format:
        raise ValueError(document["format"])
    return document


def keep_aside(path: Path, suffix: str) -> None:
    """Keep what *path* holds under its name + *suffix* as well, durably, or raise StorageUnavailable."""
    spare = path.with_name(f".draft-{path.name}{suffix}")
    with _os_errors_as_problems(spare):
        spare.unlink(missing_ok=True)
        os.link(path, spare)
        spare.replace(path.with_name(path.name + suffix))
        sync_folder(path.parent)


class DataDirectory:
    """A folder that one process holds at a time.

    The lock is a file of its own: a lock on a data file would be lost when that file is replaced. The system frees it
    when the process ends, however it ends.
    """

    def __init__(self, path: Path) -> None:
        """Make *path* where it is missing and lock it, or raise StartError."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (path / "hub.lock").open("a+b")
        except OSError as fault:
            raise StartError(f"The data directory {path} can't be used: {fault.strerror}.") from fault
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as fault:
            self._lock.close()
            raise StartError(
                f"Another process holds the data directory {path}. Stop it first, or choose another folder "
                "with --data-dir or REUSE_SURFACE_DATA_DIR."
            ) from fault

    def close(self) -> None:
        """Let the next process in."""
        self._lock.close()
