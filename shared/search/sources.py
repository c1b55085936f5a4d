"""The sources of a search index: the part of each repo in an edition, without entries that lost a conflict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shared.federation import Edition
    from shared.model.capability import Entry
    from shared.model.compose import Part
    from shared.model.content import Content


@dataclass(frozen=True, slots=True)
class SearchSource:
    """One repo's part, and the ids of its entries that another repo serves."""

    part: Part
    content: Content
    lost: frozenset[str]

    def served(self) -> Iterator[tuple[int, Entry]]:
        """Yield the entries that are served, each with its place in the content."""
        return ((place, entry) for place, entry in enumerate(self.content.entries) if entry.id not in self.lost)

    def is_after(self, moments: Iterable[tuple[str, datetime]]) -> bool:
        """Tell whether its ``registered_at`` and ``changed_at`` lie after those of *moments* that name them."""
        stamps = {"registered_at": self.part.registration.registered_at, "changed_at": self.part.changed_at}
        return all((stamp := stamps[name]) and datetime.fromisoformat(stamp) > moment for name, moment in moments)

    def says_the_same(self, other: SearchSource) -> bool:
        """Tell whether *other* has the same rows in the index."""
        return self._row_facts() == other._row_facts()

    def _row_facts(self) -> tuple[object, ...]:
        return self.content.digest, self.part.registration.domain, self.lost


def sources_of(edition: Edition) -> dict[str, SearchSource]:
    """Return the sources of *edition* that have content, by repo."""
    lost: dict[str, set[str]] = {}
    for conflict in edition.composition.conflicts:
        for other in conflict["others"]:
            lost.setdefault(other["repo"], set()).add(conflict["id"])
    return {
        part.repo: SearchSource(part, part.content, frozenset(lost.get(part.repo, ())))
        for part in edition.parts
        if part.content
    }
