"""The data directory: held by one process at a time, on a volume that can do what durable writes need."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
from typing import IO, TYPE_CHECKING

from shared.disk import sync_folder
from shared.problems import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_log = logging.getLogger("hub.files")

LOCK = "hub.lock"
# The errors of a lock that another process holds: of flock, and of NFS, which does it by fcntl (man 2 flock).
_LOCK_ERRORS = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
# What a file system answers to a call that it does not have. All else, a full volume above all, may pass.
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.ENOLCK}


class DataDirectory:
    """A folder that one process holds at a time.

    The lock is a file of its own: a lock on a data file would be lost when that file is replaced. The system frees it
    when the process ends, however it ends.
    """

    def __init__(self, path: Path) -> None:
        """Make *path* where it is missing, and lock it; raise StartError."""
        self.path = path
        with _as_unusable(path):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            # For writing, which NFS asks of an exclusive lock, and without emptying a file that is there.
            self._lock = (path / LOCK).open("a+b")
        _take(path, self._lock, fcntl.LOCK_EX)

    def try_volume(self) -> None:
        """Raise StartError where the volume can't do what durable writes need."""
        _try_volume(self.path)

    def close(self) -> None:
        """Let the next process in."""
        self._lock.close()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Keep every hub from starting on *path* within, and change nothing there: the volume may be mounted read-only.

    Raise StartError where a hub runs on it. A folder without the file to lock, as a copy of one may be, is not locked;
    then raise StartError at the end where a hub began within, which makes that file before it changes anything.
    """
    lock: IO[bytes] | None = None
    with contextlib.ExitStack() as stack:
        with _as_unusable(path), contextlib.suppress(FileNotFoundError):
            lock = stack.enter_context((path / LOCK).open("rb"))
        if lock is not None:
            # Shared, because some file systems lock a file exclusively only for those who may write to it.
            _take(path, lock, fcntl.LOCK_SH)
        yield
        if lock is None and os.path.lexists(path / LOCK):
            raise StartError(f"A hub was started on {path} while it was read. Stop it, and begin again.")


def _take(path: Path, lock: IO[bytes], kind: int) -> None:
    """Lock the file of *path*, or close it and raise StartError."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except OSError as fault:
        lock.close()
        if fault.errno not in _LOCK_ERRORS:
            raise _unfit(path, "lock files", fault) from fault
        raise StartError(
            f"Another process holds the data directory {path}. Stop it first, or choose another folder "
            "with --data-dir or REUSE_SURFACE_DATA_DIR."
        ) from fault


@contextlib.contextmanager
def _as_unusable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise StartError(f"The data directory {path} can't be used: {fault.strerror}.") from fault


def _try_volume(folder: Path) -> None:
    """Write, sync and rename a file in *folder*, and sync the folder; raise StartError for what is not possible there.

    Only what a file system never does stops the start: on a full volume the hub starts, and serves what it has.
    """
    draft, probe = folder / ".draft-probe", folder / ".probe"
    call = "write files"
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb", buffering=0):
            call = "sync files (fsync)"
            os.fsync(handle)
        call = "rename one file over another"
        probe.touch()
        draft.replace(probe)
        call = "sync a folder (fsync)"
        sync_folder(folder)
    except OSError as fault:
        if fault.errno in _UNSUPPORTED:
            raise _unfit(folder, call, fault) from fault
        _log.warning("the volume of %s could not be tried out: it does not %s: %s", folder, call, fault.strerror)
    finally:
        for path in (draft, probe):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _unfit(folder: Path, call: str, fault: OSError) -> StartError:
    return StartError(
        f"The volume of the data directory {folder} can't {call}: {fault.strerror}. Without that nothing the hub "
        "answers would be safe on it. Put the data directory on a local file system such as ext4 or xfs, or on NFS 4."
    )
