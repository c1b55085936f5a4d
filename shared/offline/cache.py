"""What was fetched for composing without a hub: one file per source, with its validators and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from shared.fetch import Validators
from shared.problems import StartError
from shared.storage.files.disk import write_whole
from shared.storage.files.saved import fitting

if TYPE_CHECKING:
    from pathlib import Path


class Stored(NamedTuple):
    """A document as it was published, when it was last found in order, and when it last changed."""

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

    def load(self, repo: str, url: str) -> Stored | None:
        """Return what is kept of *repo* and came from *url*; None where there is nothing that can be used."""
        try:
            kept = orjson.loads((self._folder / f"{repo}.json").read_bytes())
            stored = fitting(Stored(**kept | {"validators": Validators(*kept["validators"])}))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return stored if stored.url == url else None

    def keep(self, repo: str, stored: Stored) -> Stored:
        """Keep *stored* of *repo*, whole or not at all; raise StorageUnavailable when the volume refuses."""
        kept = stored._asdict() | {"validators": [*stored.validators]}
        write_whole(self._folder / f"{repo}.json", orjson.dumps(kept))
        return stored
