"""What a source has waiting for somebody to accept it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.sources.held import vanishing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.sources.source import Source


class Waiting(NamedTuple):
    """What the shrink guard holds: the ids that would vanish, of how many, when it was first seen, and its digest."""

    gone: Sequence[str]
    before: int
    since: str
    digest: str


def waiting(source: Source | None) -> Waiting | None:
    """Return what *source* has waiting, or None."""
    if source is None or source.held is None or source.kept is None:
        return None
    before, after = source.kept.content, source.held.kept.content
    return Waiting(vanishing(before, after), len(before.entries), source.held.kept.changed_at, after.digest)
