"""The page of the search: reading a search from its URL, and rendering the results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from shared.pages import typed_text
from shared.parameters import short
from shared.search import KINDS, LETTERS, SearchRequest, reading
from shared.search.facts import domain_of, levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.capability import Capability
    from shared.search import Hit, SearchResult

HITS_A_PAGE = 30
FACETS = ("domain", "repo", "status", "tag")
_MOST_VALUES = 30
_LEVELS = tuple(f"min_{kind}" for kind in LETTERS)
_EXACT = tuple(kind for kind in KINDS if kind not in LETTERS)
FILTERS = (*_EXACT, *_LEVELS)
"""The filters of a search, named as in the API."""


def _checked_text(read: Callable[[str], object]) -> Callable[[str], str]:
    """Return a reader that checks a text by *read* and returns the text itself, for the links of the page."""

    def reader(text: str) -> str:
        read(text.strip())
        return text.strip()

    return reader


READERS: dict[str, Callable[[str], str]] = {
    "q": typed_text,
    "cursor": _checked_text(reading.position),
    **dict.fromkeys(_EXACT, _checked_text(short)),
    **{f"min_{kind}": _checked_text(reading.level(kind)) for kind in LETTERS},
}
"""The readers of the parameters; each returns the text, not the value."""


@dataclass(frozen=True, slots=True)
class SearchForm:
    """The search in a URL: words, filters by the name of their parameter, and the cursor of the page."""

    q: str
    filters: dict[str, str]
    cursor: str = ""

    def request(self) -> SearchRequest:
        """Return the SearchRequest; all texts must have passed READERS."""
        filters = [(name.removeprefix("min_"), _values(name, value)) for name, value in self.filters.items()]
        return SearchRequest(
            terms=reading.terms(self.q),
            filters=tuple(sorted(filters)),
            facets=FACETS,
            limit=HITS_A_PAGE,
            after=reading.position(self.cursor) if self.cursor else None,
        )

    def with_filter(self, name: str, value: str) -> SearchForm:
        """Return the first page of this search with the filter *name* set to *value*, or removed where it is empty."""
        filters = {key: text for key, text in (self.filters | {name: value}).items() if text}
        return SearchForm(self.q, filters)

    def next(self, cursor: str) -> SearchForm:
        """Return the page of this search at *cursor*."""
        return replace(self, cursor=cursor)

    @property
    def address(self) -> str:
        """Path and query of this page of the search."""
        return self._under("/capabilities")

    @property
    def for_programs(self) -> str:
        """Path and query of the same search in the API."""
        return self._under("/v1/capabilities")

    def _under(self, path: str) -> str:
        values = {"q": self.q, **self.filters, "cursor": self.cursor}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{path}?{query}" if query else path


def _values(name: str, value: str) -> tuple[str, ...]:
    """Return the values that match the filter *name*: *value* itself, or each level from it upwards."""
    return reading.level(name.removeprefix("min_"))(value) if name in _LEVELS else (value,)


def render(result: SearchResult) -> bytes:
    """Return the variables of the page for *result* as JSON, which the search caches."""
    return orjson.dumps(
        {
            "hits": [_hit(hit) for hit in result.hits],
            "total": result.total,
            "unmatched": [reading.parameter(kind) for kind in result.unmatched],
            "next": reading.position_cursor(result.following),
            "facets": {kind: values[:_MOST_VALUES] for kind, values in result.facets.items()},
            "more": {kind: max(0, len(values) - _MOST_VALUES) for kind, values in result.facets.items()},
        }
    )


def _hit(hit: Hit) -> dict[str, Any]:
    capability = hit.entry.decoded()
    return described(capability) | {"domain": domain_of(hit.part, capability)}


def described(capability: Capability) -> dict[str, Any]:
    """Return the variables of a page for *capability*; fields that it lacks are empty, so templates need no test."""
    stated = levels(capability.vector)
    names = ("id", "name", "summary", "status", "owner", "domain", "source_repo")
    return {name: capability.text(name) for name in names} | {
        "served_from": "",
        "tags": capability.tags,
        "link": capability.entry_url or capability.url,
        "levels": [(letter, int(stated[kind][1:])) for kind, letter in LETTERS.items() if kind in stated],
    }
