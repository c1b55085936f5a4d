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
    """The file ``sources.json``: the status of each source by repo."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Status]:
        """Return every status that was saved, or raise StartError when the file is not ours or damaged."""
        if not self._path.exists():
            return {}
        with trusted(self._path, "Put back a good copy, or remove it: every source is then checked again."):
            saved = parsed(self._path.read_bytes(), FORMAT)
            return {repo: Status(**fields) for repo, fields in saved["sources"].items()}

    def save(self, statuses: Mapping[str, Status]) -> None:
        """Write *statuses* durably, or raise StorageUnavailable."""
        sources = {repo: asdict(status) for repo, status in statuses.items()}
        write_whole(self._path, orjson.dumps({"format": FORMAT, "sources": sources}))
