"""A data directory that is filled from a backup: all of it is written beside what counts, and moved there in the end.

A folder in which that did not come to its end can't be opened (see ``must_be_whole``).
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from shared.disk import sync_folder, write_draft
from shared.problems import StartError, StorageUnavailable
from shared.storage.archive import RestoreTarget
from shared.storage.files.directory import LOCK, DataDirectory
from shared.storage.files.snapshot import RESTORING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.storage.engine import Engine

# Entries that a new volume, an earlier start or a careful operator may have left in an otherwise empty folder.
_NOTHING = {LOCK, "lost+found", ".before-restore"}


class FolderRestoreTarget(RestoreTarget):
    """Fills the folder *draft*; *opener* returns an engine on it."""

    def __init__(self, draft: Path, opener: Callable[[Path], Engine]) -> None:
        self._draft = draft
        self._opener = opener

    def put(self, name: str, content: bytes) -> None:
        """Keep the promise of RestoreTarget, as all of these do."""
        path = self._draft / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_draft(path, content)

    def engine(self) -> Engine:
        """Keep the promise."""
        return self._opener(self._draft)

    def move_on(self, serial: int) -> None:
        """Keep the promise."""
        (self._draft / LOCK).unlink()
        path = self._draft / "federated.json"
        write_draft(path, orjson.dumps(orjson.loads(path.read_bytes()) | {"serial": serial}))
        (self._draft / "changes.jsonl").unlink(missing_ok=True)


@contextlib.contextmanager
def restore_target(folder: Path, opener: Callable[[Path], Engine]) -> Iterator[FolderRestoreTarget]:
    """Yield what fills *folder*, which is held meanwhile; raise StartError where it is in use or not empty.

    Where the context ends by an error nothing is left there but an empty folder. Raise StartError for what the volume
    refuses; that is no fault of the backup.
    """
    with contextlib.closing(DataDirectory(folder)), _as_refusal(folder):
        _must_be_empty(folder)
        draft = Path(tempfile.mkdtemp(prefix=RESTORING, dir=folder))
        try:
            yield FolderRestoreTarget(draft, opener)
        except BaseException:
            # A draft that can't be removed keeps every hub from starting there, and the start says why.
            shutil.rmtree(draft, ignore_errors=True)
            raise
        _place(draft, folder)


@contextlib.contextmanager
def _as_refusal(folder: Path) -> Iterator[None]:
    """Turn errors of the volume of *folder* into StartError: they are no fault of the backup."""
    try:
        yield
    except StorageUnavailable as fault:
        raise StartError(f"The backup can't be written to {folder}: {fault.detail}") from fault
    except OSError as fault:
        raise StartError(f"The backup can't be written to {folder}: {fault.strerror}.") from fault


def _must_be_empty(folder: Path) -> None:
    names = sorted(path.name for path in folder.iterdir() if path.name not in _NOTHING)
    if names:
        raise StartError(f"{folder} is not empty: it holds {', '.join(names[:5])}. Restore into an empty folder.")


def _place(draft: Path, folder: Path) -> None:
    """Move the files of *draft* to *folder*; while the draft is there no hub starts on *folder*."""
    # The folder is synced before the draft goes, whose presence forbids a start, and once more after it: a power cut in
    # between must not leave half of the files without the draft.
    try:
        for path in sorted(draft.iterdir()):
            path.rename(folder / path.name)
        sync_folder(folder)
        draft.rmdir()
        sync_folder(folder)
    except OSError as fault:
        text = f"The restore into {folder} did not end: {fault.strerror}"
        raise StartError(f"{text}. Empty the folder and restore again.") from fault
