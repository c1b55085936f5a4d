"""The states of all sources in one file: written in a batch, because losing one costs a conditional request."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from shared.files import parsed, trusted, write_whole
from shared.sources.status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1


class Journal:
    """The file ``sources.json``: what was known about each source, with the URL that it was known about."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[tuple[str, str], Status]:
        """Return every status that was saved, by repo and the URL that it is about; raise StartError for a bad file."""
        if not self._path.exists():
            return {}
        with trusted(self._path, "Put back a good copy, or remove it: every source is then checked again."):
            saved = parsed(self._path.read_bytes(), FORMAT)
            return {(repo, url): Status(**fields) for repo, url, fields in saved["sources"]}

    def save(self, statuses: Mapping[tuple[str, str], Status]) -> None:
        """Write *statuses* durably, or raise StorageUnavailable."""
        sources = [[repo, url, asdict(status)] for (repo, url), status in statuses.items()]
        write_whole(self._path, orjson.dumps({"format": FORMAT, "sources": sources}))
