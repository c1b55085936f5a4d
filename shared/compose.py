"""Merging indexes: what each repo published in, one federated index out. No clock, no network, no store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.index.content import Content, Entry
    from shared.registration import Registration
    from shared.sources.status import State


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


@dataclass(frozen=True, slots=True)
class Composition:
    """The substance of a federated index, in its final order, without serial and time."""

    missing_required: list[str]
    sources: list[dict[str, Any]]
    entries: list[Entry]
    conflicts: list[dict[str, Any]]

    @property
    def complete(self) -> bool:
        """Whether every required source has something to serve."""
        return not self.missing_required


def compose(parts: Iterable[Part]) -> Composition:
    """Merge *parts*, in whatever order they come.

    Sources are ordered by repo, capabilities by repo and id. Of an id that several repos claim, the entry of the one
    registered first is served (by name where the times are equal), the others stand under conflicts. A disabled
    source is left out; a required one that serves nothing, for whatever reason, is missing.
    """
    ordered = sorted(parts, key=lambda part: part.repo)
    owners, claims = _owners(ordered)
    entries = [
        entry for part in ordered if part.content for entry in part.content.entries if owners[entry.id] is part
    ]
    return Composition(
        missing_required=[part.repo for part in ordered if part.registration.required and part.content is None],
        sources=[_source(part) for part in ordered if part.state != "disabled"],
        entries=entries,
        conflicts=[_conflict(entry_id, claims[entry_id]) for entry_id in sorted(claims)],
    )


def _owners(ordered: list[Part]) -> tuple[dict[str, Part], dict[str, list[tuple[Part, Entry]]]]:
    """Return who serves each id, and for each id that several claim all who do, the one served first."""
    owners: dict[str, Part] = {}
    disputed: set[str] = set()
    by_age = sorted(ordered, key=lambda part: part.registration.registered_at)
    for part in by_age:
        for entry in part.content.entries if part.content else ():
            if owners.setdefault(entry.id, part) is not part:
                disputed.add(entry.id)
    claims: dict[str, list[tuple[Part, Entry]]] = {entry_id: [] for entry_id in disputed}
    for part in by_age if disputed else ():
        for entry in part.content.entries if part.content else ():
            if entry.id in disputed:
                claims[entry.id].append((part, entry))
    return owners, claims


def _conflict(entry_id: str, claims: list[tuple[Part, Entry]]) -> dict[str, Any]:
    (winner, served), *losers = claims
    others = [{"repo": part.repo, "identical": entry.says_the_same(served)} for part, entry in losers]
    return {"id": entry_id, "repo": winner.repo, "others": others}


def _source(part: Part) -> dict[str, Any]:
    registration, content = part.registration, part.content
    return {
        "repo": registration.repo,
        "url": registration.url,
        "domain": registration.domain,
        "required": registration.required,
        "state": part.state,
        "digest": content.digest if content else None,
        "capability_count": len(content.entries) if content else 0,
        "changed_at": part.changed_at if content else None,
    }
