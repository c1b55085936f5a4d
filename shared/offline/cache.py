"""The cache for composing without a hub: one file per source, with its document, validators and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from shared.disk import write_whole
from shared.fetch import Validators
from shared.problems import StartError
from shared.saved import fitting

if TYPE_CHECKING:
    from pathlib import Path


class CachedDocument(NamedTuple):
    """A document of *url* as text, with the times of the last check that succeeded and of the last change."""

    url: str
    validators: Validators
    checked_at: str
    changed_at: str
    body: str


class Cache:
    """A folder with a file ``<repo>.json`` per source."""

    def __init__(self, folder: Path) -> None:
        """Make *folder* where it is missing, or raise StartError."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise StartError(f"The cache {folder} can't be used: {fault.strerror}.") from fault

    def load(self, repo: str, url: str) -> CachedDocument | None:
        """Return the document of *repo*; None where its file is missing, damaged, or of another URL than *url*."""
        try:
            row = orjson.loads((self._folder / f"{repo}.json").read_bytes())
            document = fitting(CachedDocument(**row | {"validators": Validators(*row["validators"])}))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return document if document.url == url else None

    def keep(self, repo: str, document: CachedDocument) -> CachedDocument:
        """Write *document* of *repo* in one step, and return it; raise StorageUnavailable with the old file intact."""
        row = document._asdict() | {"validators": [*document.validators]}
        write_whole(self._folder / f"{repo}.json", orjson.dumps(row))
        return document
