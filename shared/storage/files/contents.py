"""The contents of sources, one file each, with their validators: one folder for the last good, one for the held."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import stat
from base64 import b64decode, b64encode
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from shared.disk import content_of, parsed, rename, storage_problem, sync_folder, trusted, write_draft
from shared.model.content import from_document
from shared.model.stored_content import ServedIds, StoredContent, Validators
from shared.problems import StartError
from shared.saved import fitting

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from shared.model.registration import Registration

FORMAT = 1
_REMEDY = "Put back a good copy, or remove it: the source is then read again."
_INDEX = b',"index":'
_log = logging.getLogger("hub.sources")


class ContentFolder:
    """A folder with a file ``<repo>.json`` per source. Drafts start with a dot, which no repo does."""

    def __init__(self, folder: Path) -> None:
        """Know where it lies; ``make`` makes the folder where it is missing."""
        self._folder = folder
        self._numbers = count()
        self._stray: set[str] = set()

    def make(self) -> None:
        """Make the folder where it is missing, or raise StartError."""
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as fault:
            raise self._unusable(fault) from fault

    def must_be_usable(self) -> None:
        """Raise StartError where a file has the name of the folder: the contents would seem to be gone."""
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(os.lstat(self._folder).st_mode) and not self._folder.is_dir():
                raise self._unusable(NotADirectoryError(0, "Not a directory"))

    def _unusable(self, fault: OSError) -> StartError:
        return StartError(f"The folder {self._folder} can't be used: {fault.strerror}.")

    def load(self, registration: Registration) -> StoredContent | None:
        """Return the content stored for *registration*, of whatever URL; None for none, or one of another registration.

        Raise StartError for a bad file, one whose content is not what was written included.
        """
        path = self._path(registration.repo)
        raw = content_of(path, _REMEDY)
        if raw is None:
            return None
        with trusted(path, _REMEDY):
            stored = _read(parsed(raw, FORMAT), raw)
        return stored if stored.read_for(registration) else None

    def draft(self, repo: str, stored: StoredContent) -> Path:
        """Write *stored* durably beside the others and return where, or raise StorageUnavailable. For any thread."""
        document = stored.content.document()
        head = {
            "format": FORMAT,
            "url": stored.url,
            "validators": [*stored.validators],
            "changed_at": stored.changed_at,
            "registered_at": stored.registered_at,
            "sequence": stored.sequence,
            "past": [[past.until, b64encode(past.ids).decode()] for past in stored.past],
            "instead_of": stored.instead_of,
            "sha256": hashlib.sha256(document).hexdigest(),
        }
        # Numbered: an acceptance may draft a content of a repo while the draft of a check is being written.
        path = self._folder / f".{repo}-{next(self._numbers)}"
        write_draft(path, orjson.dumps(head)[:-1] + _INDEX + document + b"}")
        return path

    def place(self, draft: Path, repo: str) -> None:
        """Make *draft* the content of *repo*, or raise StorageUnavailable. ``sync`` makes that durable.

        *draft* must be of this folder: what it replaces is found by its name there.
        """
        rename(draft, self._path(repo))

    def discard(self, draft: Path | None) -> None:
        """Remove *draft*, if there is one; where the volume refuses, the next start does."""
        if draft is not None:
            self._remove(draft)

    def sync(self) -> None:
        """Sync the folder, so that contents placed and dropped survive a power cut; or raise StorageUnavailable."""
        try:
            sync_folder(self._folder)
        except OSError as fault:
            raise storage_problem(fault) from fault

    def drop(self, repo: str) -> None:
        """Remove the content of *repo*; what the volume does not let go stays for the next start, as a warning says."""
        self._remove(self._path(repo))

    def ignore(self, repo: str) -> None:
        """Have the next ``tidy`` remove the content of *repo*, which this start did not use."""
        self._stray.add(repo)

    def tidy(self, repos: Collection[str]) -> None:
        """Remove the contents of all repos but *repos*, those that were ignored, and drafts that a crash left."""
        try:
            paths = list(self._folder.iterdir())
        except OSError as fault:
            _log.warning("%s can't be listed, the next start tries again: %s", self._folder, fault.strerror)
            return
        for path in paths:
            if path.stem not in repos or path.stem in self._stray:
                self._remove(path)
        self._stray.clear()

    def _remove(self, path: Path) -> None:
        # Not raised: the change that it goes with is stored already. Until the next start nothing reads what stays.
        try:
            path.unlink(missing_ok=True)
        except OSError as fault:
            _log.warning("%s could not be removed, the next start tries again: %s", path, fault.strerror)

    def _path(self, repo: str) -> Path:
        return self._folder / f"{repo}.json"


def _read(saved: dict[str, Any], raw: bytes) -> StoredContent:
    """Return what *saved*, read from the bytes *raw*, holds; raise ValueError where its index was changed since."""
    # No string holds the mark: within strings every quote has a backslash before it.
    document = raw.partition(_INDEX)[2][:-1]
    if saved.get("sha256") not in {None, hashlib.sha256(document).hexdigest()}:
        raise ValueError("sha256")
    url = saved["url"]
    stored = StoredContent(
        url,
        Validators(*saved["validators"]),
        saved["changed_at"],
        from_document(saved["index"], url),
        saved.get("registered_at", ""),
        tuple(ServedIds(until, b64decode(ids)) for until, ids in saved.get("past", ())),
        saved.get("instead_of", ""),
        saved.get("sequence", 0),
    )
    return fitting(stored)


class ContentFolders:
    """Two folders: *good* for the last good contents, *held* for the held ones.

    Not two names in one folder, because the name of a repo may end with any suffix.
    """

    def __init__(self, folder: Path) -> None:
        self.good = ContentFolder(folder / "content")
        self.held = ContentFolder(folder / "held")

    def drop(self, repo: str) -> None:
        """Remove the contents of *repo* in both."""
        self.good.drop(repo)
        self.held.drop(repo)

    def make(self) -> None:
        """Make both folders where they are missing, or raise StartError."""
        self.good.make()
        self.held.make()

    def must_be_usable(self) -> None:
        """Raise StartError where something else has the name of a folder."""
        self.good.must_be_usable()
        self.held.must_be_usable()

    def tidy(self, repos: Collection[str]) -> None:
        """Tidy both folders."""
        self.good.tidy(repos)
        self.held.tidy(repos)

    def sync(self) -> None:
        """Sync both folders, or raise StorageUnavailable. For any thread."""
        self.good.sync()
        self.held.sync()
