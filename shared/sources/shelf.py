"""The contents of sources, one file each, with their validators: one shelf for the good, one for the held."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from shared.fetch import Validators
from shared.files import parsed, rename, sync_folder, trusted, write_draft
from shared.index.content import Content, from_document

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
_log = logging.getLogger("hub.sources")


@dataclass(frozen=True, slots=True)
class Kept:
    """A content, the URL it was read from, and the validators that make the next request conditional."""

    url: str
    validators: Validators
    changed_at: str
    content: Content

    def says_the_same(self, other: Kept) -> bool:
        """Tell whether the contents are equal, however they were written."""
        return self.content.digest == other.content.digest

    def facts(self) -> dict[str, Any]:
        """Return what a line of history says about the content."""
        return {"digest": self.content.digest, "capability_count": len(self.content.entries)}


class Shelf:
    """A folder with a file ``<repo>.json`` per source. Drafts start with a dot, which no repo does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        folder.mkdir(mode=0o700, exist_ok=True)

    def load(self, repo: str, url: str) -> Kept | None:
        """Return what is kept of *repo* and was read from *url*, or None; raise StartError for a bad file."""
        path = self._path(repo)
        if not path.exists():
            return None
        with trusted(path, "Put back a good copy, or remove it: the source is then read again."):
            kept = parsed(path.read_bytes(), FORMAT)
            if kept["url"] != url:
                return None
            return Kept(url, Validators(*kept["validators"]), kept["changed_at"], from_document(kept["index"], url))

    def draft(self, repo: str, kept: Kept) -> Path:
        """Write *kept* durably beside the others and return where, or raise StorageUnavailable. For any thread."""
        head = {"format": FORMAT, "url": kept.url, "validators": [*kept.validators], "changed_at": kept.changed_at}
        path = self._folder / f".{repo}-{next(self._numbers)}"
        write_draft(path, orjson.dumps(head)[:-1] + b',"index":' + kept.content.document() + b"}")
        return path

    def place(self, draft: Path, repo: str) -> None:
        """Make *draft* what is kept of *repo*, or raise StorageUnavailable. ``sync`` makes that durable.

        Whoever drafts must place on the same shelf.
        """
        rename(draft, self._path(repo))

    def discard(self, draft: Path | None) -> None:
        """Forget *draft*, if there is one."""
        if draft is not None:
            draft.unlink(missing_ok=True)

    def sync(self) -> None:
        """Make what was placed survive a power cut. For any thread."""
        sync_folder(self._folder)

    def drop(self, repo: str) -> None:
        """Forget *repo*; a file that the volume does not let go is removed by the next start."""
        self._remove(self._path(repo))

    def drop_all_but(self, repos: set[str]) -> None:
        """Forget what no registration stands behind any more, and drafts that a crash left."""
        for path in self._folder.iterdir():
            if path.stem not in repos:
                self._remove(path)

    def _remove(self, path: Path) -> None:
        # What is on the volume too long takes room; the registration that decides what is served is gone already.
        try:
            path.unlink(missing_ok=True)
        except OSError as fault:
            _log.warning("%s could not be removed, the next start tries again: %s", path, fault.strerror)

    def _path(self, repo: str) -> Path:
        return self._folder / f"{repo}.json"


class Shelves:
    """Two shelves: *good* for the last content that was let in, *held* for what was not."""

    def __init__(self, folder: Path) -> None:
        self.good = Shelf(folder / "content")
        self.held = Shelf(folder / "held")

    def drop(self, repo: str) -> None:
        """Forget *repo* on both."""
        self.good.drop(repo)
        self.held.drop(repo)

    def drop_all_but(self, repos: set[str]) -> None:
        """Forget what no registration stands behind any more, on both."""
        self.good.drop_all_but(repos)
        self.held.drop_all_but(repos)

    def sync(self) -> None:
        """Make what was placed and dropped survive a power cut. For any thread."""
        self.good.sync()
        self.held.sync()
