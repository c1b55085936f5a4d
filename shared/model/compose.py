"""Merging indexes: what each repo published in, one federated index out. No clock, no network, no store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.model.capability import Entry
    from shared.model.content import Content
    from shared.model.registration import Registration
    from shared.model.status import State


@dataclass(frozen=True, slots=True)
class Part:
    """One repo's share: its registration, the state of its source, and the content it serves, if any."""

    registration: Registration
    state: State
    changed_at: str | None
    content: Content | None

    @property
    def repo(self) -> str:
        """The slug of the repo."""
        return self.registration.repo

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries it brings."""
        return self.content.entries if self.content else ()


@dataclass(frozen=True, slots=True)
class Composition:
    """The substance of a federated index, in its final order, without serial and time.

    *shares* has the entries that are served, source by source: one tuple for each of *sources*. *losses* has, for each
    repo that claims ids which others serve, how many of them each of those others serves.
    """

    missing_required: list[str]
    sources: list[dict[str, Any]]
    shares: list[tuple[Entry, ...]]
    conflicts: list[dict[str, Any]]
    losses: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every required source has something to serve."""
        return not self.missing_required

    @property
    def entries(self) -> list[Entry]:
        """The entries that are served."""
        return [entry for share in self.shares for entry in share]


def compose(parts: Iterable[Part]) -> Composition:
    """Merge *parts*, in whatever order they come.

    Sources are ordered by repo, capabilities by repo and id. Of an id that several repos claim, the entry of the one
    registered first is served (``Registration.precedence``), the others stand under conflicts. A disabled
    source is left out; a required one that serves nothing, for whatever reason, is missing.
    """
    ordered = sorted(parts, key=lambda part: part.repo)
    visible = [part for part in ordered if part.state != "disabled"]
    claims = _claims(visible)
    # The first claim is that of the earliest registered repo (``_claims``).
    winners = {entry_id: claim[0][0] for entry_id, claim in claims.items()}
    shares = [_share(part, winners) for part in visible]
    conflicts = [_conflict(entry_id, claims[entry_id]) for entry_id in sorted(claims)]
    return Composition(
        missing_required=[part.repo for part in ordered if part.registration.required and part.content is None],
        sources=[_source(part, len(share)) for part, share in zip(visible, shares, strict=True)],
        shares=shares,
        conflicts=conflicts,
        losses=_losses(conflicts),
    )


def _claims(parts: list[Part]) -> dict[str, list[tuple[Part, Entry]]]:
    """Return for each id that several repos claim their parts and entries, the one that is served first."""
    # First counted: nearly always no id is claimed twice, and no table of all entries has to be built.
    counts = Counter(entry.id for part in parts for entry in part.entries)
    if len(counts) == counts.total():
        return {}
    claims: dict[str, list[tuple[Part, Entry]]] = {}
    for part in sorted(parts, key=lambda part: part.registration.precedence):
        for entry in part.entries:
            if counts[entry.id] > 1:
                claims.setdefault(entry.id, []).append((part, entry))
    return claims


def _share(part: Part, winners: dict[str, Part]) -> tuple[Entry, ...]:
    """Return the entries of *part* that are served; without a conflict the very tuple of its content.

    So that whoever compares two compositions sees by identity what did not change (``Delta.between``).
    """
    if winners.keys().isdisjoint(entry.id for entry in part.entries):
        return part.entries
    return tuple(entry for entry in part.entries if winners.get(entry.id, part) is part)


def _conflict(entry_id: str, claims: list[tuple[Part, Entry]]) -> dict[str, Any]:
    (winner, served), *losers = claims
    others = [{"repo": part.repo, "identical": entry.says_the_same(served)} for part, entry in losers]
    return {"id": entry_id, "repo": winner.repo, "others": others}


def _losses(conflicts: Iterable[dict[str, Any]]) -> dict[str, Counter[str]]:
    losses: dict[str, Counter[str]] = {}
    for conflict in conflicts:
        for other in conflict["others"]:
            losses.setdefault(other["repo"], Counter())[conflict["repo"]] += 1
    return losses


def _source(part: Part, served_count: int) -> dict[str, Any]:
    registration, content = part.registration, part.content
    return {
        "repo": registration.repo,
        "url": registration.url,
        "domain": registration.domain,
        "required": registration.required,
        "state": part.state,
        "digest": content.digest if content else None,
        "capability_count": len(part.entries),
        "served_count": served_count,
        "changed_at": part.changed_at if content else None,
    }
