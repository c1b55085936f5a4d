"""Every file of a data directory as it was at one moment, for a backup.

Files are replaced as a whole, or they only grow (history, changes): so hard links and the lengths of that
moment are all that a moment takes, however long the sending of it lasts.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from shared.disk import PREVIOUS, storage_problem
from shared.problems import StartError
from shared.storage.archive import NAME, ArchivedFile, Description, Snapshot, archived
from shared.storage.files.directory import LOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

SNAPSHOT, RESTORING = ".snapshot-", ".restoring-"
_PIECE = 1 << 18
_log = logging.getLogger("hub.files")


class FilesSnapshot(Snapshot):
    """The files of a data directory at the moment of its making, until it is closed."""

    def __init__(self, folder: Path, about: Description, *, linked: bool = True) -> None:
        """Take it; nothing may be written meanwhile. Raise StorageUnavailable where the volume has no room.

        Without *linked* nothing is written at all, and nothing may be until it is closed; raise OSError for a file or
        folder that can't be read.
        """
        self.about = about.as_json()
        self._links: Path | None = None
        try:
            if not linked:
                paths = [(name, folder / name) for name in _names(folder)]
                self._files = [(name, (path, path.stat().st_size)) for name, path in paths]
                return
            self._links = Path(tempfile.mkdtemp(prefix=SNAPSHOT, dir=folder))
            links = [(name, _linked(folder, name, self._links)) for name in _names(folder)]
            self._files = [(name, link) for name, link in links if link]
        except BaseException as fault:
            self.close()
            if linked and isinstance(fault, OSError):
                raise storage_problem(fault) from fault
            raise

    def stream(self) -> Iterator[bytes]:
        """Yield the tar; for any thread."""
        files = [ArchivedFile(name, size, partial(_pieces, path, size)) for name, (path, size) in self._files]
        return archived(self.about, files)

    def close(self) -> None:
        """Give the links back."""
        if self._links is not None:
            shutil.rmtree(self._links, ignore_errors=True)


def _names(folder: Path, before: str = "") -> Iterator[str]:
    """Yield the names of all that is to be kept: no drafts, no locks, no generations before, nothing of an operator's.

    Raise OSError for a folder that can't be listed: rglob leaves it out without a word, from Python 3.12 on. What has a
    name that no hub gives, such as ``lost+found``, a restore would refuse, and all of the backup with it.
    """
    with os.scandir(folder) as entries:
        in_order = sorted(entries, key=attrgetter("name"))
    for entry in in_order:
        name = before + entry.name
        if entry.name == LOCK or entry.name.endswith(PREVIOUS) or not NAME.fullmatch(name):
            continue
        if entry.is_dir():
            yield from _names(Path(entry.path), f"{name}/")
        elif entry.is_file():
            yield name


def _linked(folder: Path, name: str, links: Path) -> tuple[Path, int] | None:
    """Link a file and return the path of the link and its size in bytes; None where the file is gone by now.

    What was read from a source that is deregistered is dropped at any time; all other files stay or are replaced.
    """
    link = links / name
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        try:
            os.link(folder / name, link)
        except OSError:
            # A volume without hard links; the writes wait while its files are copied.
            shutil.copyfile(folder / name, link)
        return link, link.stat().st_size
    return None


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """Yield the first *size* bytes of a file, or raise OSError where it has fewer: later ones are no part."""
    with path.open("rb") as file:
        while size > 0:
            piece = file.read(min(_PIECE, size))
            if not piece:
                # Ending here leaves a tar that is cut off, which a restore refuses; reading on would never end.
                raise OSError(f"{path.name} became shorter while it was backed up: {size} bytes are missing")
            size -= len(piece)
            yield piece


def sweep(folder: Path) -> None:
    """Remove what snapshots left behind in a crash; where *folder* can't be listed, the next start does."""
    try:
        paths = list(folder.iterdir())
    except OSError as fault:
        _log.warning("%s can't be listed, the next start tries again: %s", folder, fault.strerror)
        return
    for path in paths:
        if path.name.startswith(SNAPSHOT):
            shutil.rmtree(path, ignore_errors=True)


def must_be_whole(folder: Path) -> None:
    """Raise StartError where a restore did not come to its end.

    Raise it too where *folder* can't be listed: what glob leaves out then could be half a restore.
    """
    try:
        paths = list(folder.iterdir())
    except OSError as fault:
        raise StartError(f"The data directory {folder} can't be listed: {fault.strerror}.") from fault
    for path in paths:
        if path.name.startswith(RESTORING):
            says = f"A restore into {folder} did not end: {path} is left."
            raise StartError(f"{says} Empty the folder and restore again.")
