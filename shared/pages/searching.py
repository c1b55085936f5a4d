"""A search of capabilities as its address says it, and what a page shows of what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from shared.pages import typed
from shared.search import KINDS, LETTERS, SearchRequest, reading
from shared.search.facts import domain_of, levels
from shared.web.parameters import short

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.capability import Capability
    from shared.search import Hit, SearchResult

HITS_A_PAGE = 30
SHOWN_FACETS = ("domain", "repo", "status", "tag")
_MOST_VALUES = 30
_LEVELS = tuple(f"min_{kind}" for kind in LETTERS)
_EXACT = tuple(kind for kind in KINDS if kind not in LETTERS)
FILTERS = (*_EXACT, *_LEVELS)
"""The parameters by which a search can be narrowed; they are called as in the API."""


def _told(read: Callable[[str], object]) -> Callable[[str], str]:
    """Return a reader of text that *read* understands; the text is kept, for the address of the page."""

    def reader(text: str) -> str:
        read(text.strip())
        return text.strip()

    return reader


READERS: dict[str, Callable[[str], str]] = {
    "q": typed,
    "cursor": _told(reading.position),
    **dict.fromkeys(_EXACT, _told(short)),
    **{f"min_{kind}": _told(reading.level(kind)) for kind in LETTERS},
}
"""How each parameter is read; every reader returns the text."""


@dataclass(frozen=True, slots=True)
class SearchForm:
    """What is asked for: words, filters by the name of their parameter, and the page (a cursor)."""

    q: str
    filters: dict[str, str]
    cursor: str = ""

    def wanted(self) -> SearchRequest:
        """Return the search; everything was read by READERS before."""
        filters = [(name.removeprefix("min_"), _values(name, value)) for name, value in self.filters.items()]
        return SearchRequest(
            terms=reading.terms(self.q),
            filters=tuple(sorted(filters)),
            facets=SHOWN_FACETS,
            limit=HITS_A_PAGE,
            after=reading.position(self.cursor) if self.cursor else None,
        )

    def with_filter(self, name: str, value: str) -> SearchForm:
        """Return this search narrowed, or without the filter where *value* is empty, from its first page on."""
        filters = {one: text for one, text in (self.filters | {name: value}).items() if text}
        return SearchForm(self.q, filters)

    def next(self, cursor: str) -> SearchForm:
        """Return the page of this search at *cursor*."""
        return replace(self, cursor=cursor)

    @property
    def address(self) -> str:
        """The address of the page, to share and to come back to."""
        return self._under("/capabilities")

    @property
    def for_programs(self) -> str:
        """Where a program gets the same as JSON."""
        return self._under("/v1/capabilities")

    def _under(self, path: str) -> str:
        values = {"q": self.q, **self.filters, "cursor": self.cursor}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{path}?{query}" if query else path


def _values(name: str, value: str) -> tuple[str, ...]:
    """Return the values that the filter *name* admits: this one, or each level from it up."""
    return reading.level(name.removeprefix("min_"))(value) if name in _LEVELS else (value,)


def shown(found: SearchResult) -> bytes:
    """Return, as JSON, what a page shows of *found*; searches keep it for the next who asks the same."""
    return orjson.dumps(
        {
            "hits": [_hit(hit) for hit in found.hits],
            "total": found.total,
            "unmatched": [reading.parameter(kind) for kind in found.unmatched],
            "next": reading.position_cursor(found.following),
            "facets": {kind: values[:_MOST_VALUES] for kind, values in found.facets.items()},
            "more": {kind: max(0, len(values) - _MOST_VALUES) for kind, values in found.facets.items()},
        }
    )


def _hit(hit: Hit) -> dict[str, Any]:
    capability = hit.entry.decoded()
    return described(capability) | {"domain": domain_of(hit.part, capability)}


def described(capability: Capability) -> dict[str, Any]:
    """Return what a page shows of *capability*, every field there, with its maturity level by level."""
    stated = levels(capability.vector)
    names = ("id", "name", "summary", "status", "owner", "domain", "source_repo")
    return {name: capability.text(name) for name in names} | {
        "served_from": "",
        "tags": capability.tags,
        "link": capability.entry_url or capability.url,
        "levels": [(letter, int(stated[kind][1:])) for kind, letter in LETTERS.items() if kind in stated],
    }
