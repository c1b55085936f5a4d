"""The values of a search: its request, its result, and the words of a text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from shared.model.capability import Entry
    from shared.model.compose import Part

_WORD = re.compile(r"[^\W_]+")


class Position(NamedTuple):
    """Where a page ended: the entry shown last, and how many ranked ones were shown; None once those were through."""

    shown: int | None
    repo: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """A search.

    *terms* are words as ``words`` gives them: all must be found, or with *some* any that tells something; with *named*
    in names only. None asks for no words, and an empty tuple for one that nothing has. Each of *filters* is a kind of
    fact and the values of which one must be stated. Each of *since* is a moment after which the repo must have been
    registered (``registered_at``) or have changed what it publishes (``changed_at``). *facets* are kinds to count.
    """

    terms: tuple[str, ...] | None = None
    some: bool = False
    named: bool = False
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    since: tuple[tuple[str, datetime], ...] = ()
    facets: tuple[str, ...] = ()
    limit: int = 20
    after: Position | None = None


class Hit(NamedTuple):
    """A capability of a result, the part that it is of, and its score (0 to 100)."""

    part: Part
    entry: Entry
    score: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of hits; *total* counts all. *following* is where the next page starts, None at the end.

    *facets* are the values of each kind over all that was found, the most frequent first. *unmatched* are the kinds of
    those filters that no served capability states, such as a misspelt domain; looked at only where nothing was found.
    """

    serial: int
    hits: list[Hit]
    total: int
    following: Position | None
    facets: dict[str, list[tuple[str, int]]]
    unmatched: tuple[str, ...] = ()


def words(text: str) -> list[str]:
    """Return the words of *text*, runs of letters and digits, in lower case without accents."""
    if not text.isascii():
        # Letters first lose their forms (ligatures, full width), then their marks: Zürich is found by zurich.
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _WORD.findall(text.casefold())
