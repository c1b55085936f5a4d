"""Renderers of search results as answers of ARD. The search caches answers by the ``repr`` of their renderer."""

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
    """Renders the answer to a search; with *referrals* it has a list of other registries, which is empty."""

    naming: Naming
    referrals: bool

    def __call__(self, result: SearchResult) -> bytes:
        """Return ``{"results": [entry with "score" and "source"], "referrals"?, "pageToken"?}`` as JSON."""
        source = f"{self.naming.public}/ard/"
        body: dict[str, Any] = {"results": []}
        for hit, entry in _entries(self.naming, result):
            entry.pop("representativeQueries", None)
            body["results"].append(entry | {"score": hit.score, "source": source})
        if self.referrals:
            body["referrals"] = []
        return _with_token(body, result)


@dataclass(frozen=True, slots=True)
class Listing:
    """Renders a page of whole entries."""

    naming: Naming

    def __call__(self, result: SearchResult) -> bytes:
        """Return ``{"items": [entry], "total", "pageToken"?}`` as JSON."""
        items = [entry for _, entry in _entries(self.naming, result)]
        return _with_token({"items": items, "total": result.total}, result)


@dataclass(frozen=True, slots=True)
class FirstEntry:
    """Renders the first valid entry of a result."""

    naming: Naming

    def __call__(self, result: SearchResult) -> bytes:
        """Return the entry as JSON, or no bytes where the result has none."""
        for _, entry in _entries(self.naming, result):
            return orjson.dumps(entry)
        return b""


def _entries(naming: Naming, result: SearchResult) -> Iterator[tuple[Hit, dict[str, Any]]]:
    for hit in result.hits:
        entry = entries.capability(naming, hit.part, hit.entry)
        if entries.fault(entry) is None:
            yield hit, entry


def _with_token(body: dict[str, Any], result: SearchResult) -> bytes:
    token = reading.position_cursor(result.following)
    return orjson.dumps(body | {"pageToken": token} if token else body)
