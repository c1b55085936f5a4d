"""One serial of the federated index: the document, and what it was made of."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared.compose import Composition, Part
    from shared.federation.document import Document
    from shared.index.content import Entry


class Claim(NamedTuple):
    """An entry of a repo, and the repo whose entry of that id is served: the same one, unless it lost a conflict."""

    part: Part
    entry: Entry
    winner: str


@dataclass(frozen=True)
class Edition:
    """What is served at one time. *parts* hold every registration and content, those that lost conflicts too."""

    document: Document
    composition: Composition
    parts: list[Part]

    @cached_property
    def by_repo(self) -> dict[str, Part]:
        """The parts by repo."""
        return {part.repo: part for part in self.parts}

    def claim(self, repo: str, entry_id: str) -> Claim | None:
        """Return what *repo* publishes under *entry_id*, or None."""
        part = self.by_repo.get(repo)
        entries = part.content.entries if part and part.content else ()
        place = bisect_left(entries, entry_id, key=attrgetter("id"))
        if part is None or place == len(entries) or entries[place].id != entry_id:
            return None
        return Claim(part, entries[place], self._winner(entry_id) or repo)

    def is_served(self, repo: str, entry_id: str) -> bool:
        """Tell whether *repo*, which publishes *entry_id*, is the one whose entry is served."""
        return self._winner(entry_id) in {None, repo}

    def _winner(self, entry_id: str) -> str | None:
        conflicts = self.composition.conflicts
        place = bisect_left(conflicts, entry_id, key=itemgetter("id"))
        disputed = place < len(conflicts) and conflicts[place]["id"] == entry_id
        return str(conflicts[place]["repo"]) if disputed else None
