"""One serial of the federated index: the document, what it was made of, and since when each of its troubles lasts."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, fields
from functools import cached_property
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.model.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.federation.document import Document
    from shared.model.capability import Entry
    from shared.model.compose import Composition, Part
    from shared.model.source import Outcome

MOST_REPOS = 20
"""So many repos are named as those that serve ids in another one's place."""
_STATUS = tuple(field.name for field in fields(Status))


class ServedCounts(NamedTuple):
    """How many entries a repo brings to an edition, how many of them are served, and who serves the others' ids.

    *elsewhere* is ``(repo, ids)``, the most ids first, at most MOST_REPOS of them.
    """

    entries: int
    served: int
    elsewhere: tuple[tuple[str, int], ...]


_ABSENT = ServedCounts(0, 0, ())


class Claim(NamedTuple):
    """An entry of a repo, and the repo whose entry of that id is served: the same one, unless it lost a conflict."""

    part: Part
    entry: Entry
    winner: str


@dataclass(frozen=True)
class Edition:
    """One edition: the document of one serial. *parts* hold every registration and content, conflict losers too."""

    document: Document
    composition: Composition
    parts: list[Part]

    def __post_init__(self) -> None:
        """Make what readers look up: it takes the longer the more is registered, and editions are made in a thread."""
        _ = self.by_repo, self.domains, self._standings

    @cached_property
    def by_repo(self) -> dict[str, Part]:
        """The parts by repo."""
        return {part.repo: part for part in self.parts}

    @cached_property
    def domains(self) -> frozenset[str]:
        """The domains of the repos that serve something."""
        return frozenset(part.registration.domain for part in self.parts if part.entries)

    @cached_property
    def _standings(self) -> dict[str, ServedCounts]:
        lost = self.composition.losses
        return {
            row["repo"]: ServedCounts(
                row["capability_count"], row["served_count"], _by_count(lost.get(row["repo"], {}))
            )
            for row in self.composition.sources
        }

    def standing(self, repo: str) -> ServedCounts:
        """Return how much of what *repo* publishes is served; of one that is not in this edition, nothing."""
        return self._standings.get(repo, _ABSENT)

    def described(self, repo: str, status: Status) -> dict[str, Any]:
        """Return the source of *repo* as the API shows it: *status*, and what this edition serves of it."""
        _, served, elsewhere = self.standing(repo)
        fields: dict[str, Any] = {name: getattr(status, name) for name in _STATUS}
        fields["served_count"] = served
        fields["served_elsewhere"] = [{"repo": winner, "count": count} for winner, count in elsewhere]
        return fields

    def outcome(self, outcome: Outcome) -> dict[str, Any]:
        """Return the *outcome* of a check as the API shows it, with what this edition serves of the source."""
        return {**outcome._asdict(), "source": self.described(outcome.repo, outcome.source)}

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


def _by_count(lost: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Return who serves how many, the most first."""
    return tuple(sorted(lost.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_REPOS])


def missing(repo: str) -> str:
    """Return the name of the trouble that the required *repo* has nothing to serve."""
    return f"missing {repo}"


def disputed(entry_id: str, winner: str, loser: str) -> str:
    """Return the name of the trouble that *winner* serves an id which *loser* claims too."""
    return f"disputed {entry_id} {winner} {loser}"


def dated(composition: Composition, before: Mapping[str, str], now: str) -> dict[str, str]:
    """Return since when each trouble of *composition* lasts: as it was *before*, or from *now* on."""
    return {trouble: before.get(trouble, now) for trouble in _troubles(composition)}


def _troubles(composition: Composition) -> Iterable[str]:
    yield from map(missing, composition.missing_required)
    for conflict in composition.conflicts:
        for other in conflict["others"]:
            yield disputed(conflict["id"], conflict["repo"], other["repo"])
