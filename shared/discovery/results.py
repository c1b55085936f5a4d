"""Answers of ARD made of what a search finds. Their repr tells them apart, as the search keeps answers by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from shared.discovery import entries
from shared.search import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.discovery.naming import Naming
    from shared.search import Hit, SearchResult


@dataclass(frozen=True, slots=True)
class Results:
    """Makes the answer of a search; with *referrals* it names other registries, of which this hub knows none."""

    naming: Naming
    referrals: bool

    def __call__(self, found: SearchResult) -> bytes:
        """Return the body."""
        source = f"{self.naming.public}/ard/"
        body: dict[str, Any] = {"results": []}
        for hit, entry in _entries(self.naming, found):
            entry.pop("representativeQueries", None)
            body["results"].append(entry | {"score": hit.score, "source": source})
        if self.referrals:
            body["referrals"] = []
        return _with_token(body, found)


@dataclass(frozen=True, slots=True)
class Listing:
    """Makes a page of whole entries."""

    naming: Naming

    def __call__(self, found: SearchResult) -> bytes:
        """Return the body."""
        items = [entry for _, entry in _entries(self.naming, found)]
        return _with_token({"items": items, "total": found.total}, found)


@dataclass(frozen=True, slots=True)
class One:
    """Makes the entry that is found first, or nothing where none is."""

    naming: Naming

    def __call__(self, found: SearchResult) -> bytes:
        """Return the body, empty where there is none."""
        for _, entry in _entries(self.naming, found):
            return orjson.dumps(entry)
        return b""


def _entries(naming: Naming, found: SearchResult) -> Iterator[tuple[Hit, dict[str, Any]]]:
    for hit in found.hits:
        entry = entries.capability(naming, hit.part, hit.entry)
        if entries.fault(entry) is None:
            yield hit, entry


def _with_token(body: dict[str, Any], found: SearchResult) -> bytes:
    token = reading.position_cursor(found.following)
    return orjson.dumps(body | {"pageToken": token} if token else body)
