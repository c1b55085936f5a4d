"""Parts made by hand, for the modules that merge them without sources around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.model.compose import Part
from shared.model.content import content_of
from shared.model.registration import Registration

if TYPE_CHECKING:
    from shared.model.status import State

EARLY, LATER, LAST = (f"2026-11-23T10:00:0{second}.000000Z" for second in range(3))


def part(repo: str, *entries: dict[str, Any], state: State = "fresh", at: str = EARLY, required: bool = False) -> Part:
    """Return the share of *repo*, registered *at*; a state in which nothing is served brings none of *entries*."""
    registration = Registration(
        repo=repo,
        url=f"https://git.example.org/{repo}/capabilities.yaml",
        domain="helix_forge",
        enabled=state != "disabled",
        required=required,
        registered_at=at,
        updated_at=at,
        registered_by="operator",
        revision=1,
    )
    serves = state in {"fresh", "stale", "held"}
    content = content_of({"version": 1, "capabilities": list(entries)}, repo) if serves else None
    return Part(registration, state, "2026-11-23T11:00:00Z" if serves else None, content)
