"""What is known about all sources in one file: written in a batch, because losing one costs a conditional request."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from shared.files import parsed, trusted, write_whole
from shared.sources.memory import Mark, Memory
from shared.sources.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FORMAT = 1


class Record(NamedTuple):
    """What was known about the source of *repo* when it was read from *url*."""

    repo: str
    url: str
    status: Status
    memory: Memory


class Journal:
    """The file ``sources.json``."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[tuple[str, str], Record]:
        """Return every record that was saved, by repo and URL; raise StartError for a bad file."""
        if not self._path.exists():
            return {}
        with trusted(self._path, "Put back a good copy, or remove it: every source is then checked again."):
            saved = parsed(self._path.read_bytes(), FORMAT)
            return {(repo, url): _record(repo, url, *about) for repo, url, *about in saved["sources"]}

    def save(self, records: Iterable[Record]) -> None:
        """Write *records* durably, or raise StorageUnavailable."""
        rows = [[repo, url, status, _row(memory)] for repo, url, status, memory in records]
        write_whole(self._path, orjson.dumps({"format": FORMAT, "sources": rows}))


def _row(memory: Memory) -> list[object]:
    marks, *others = memory
    return [[[*mark] for mark in marks], *others]


def _record(repo: str, url: str, status: dict[str, object], memory: list[object] | None = None) -> Record:
    marks, *others = memory or [()]
    return Record(repo, url, Status(**status), Memory(tuple(Mark(*mark) for mark in marks), *others))  # type: ignore[arg-type, attr-defined]
