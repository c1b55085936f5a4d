"""The page of one source, beside its state: the last changes of its entries, and its held content."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.sources.shrink_guard import vanishing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.lines import ChangeLine
    from shared.model.source import SourceView

MOST_CHANGES = 8


class SourceChange(NamedTuple):
    """The changes of a source in the serials *first* to *serial*: ids that came or changed, and ids that went."""

    first: int
    serial: int
    came: list[str]
    went: list[str]


def recent(lines: Sequence[ChangeLine], repo: str) -> list[SourceChange]:
    """Return the last MOST_CHANGES changes of *repo* in *lines*, the newest first."""
    changes: list[SourceChange] = []
    name = f'"{repo}"'.encode()
    for line in reversed(lines):
        # Parsing a line takes far longer than searching its text for the repo.
        ids = line.delta.capabilities.get(repo) if name in line.text else None
        if ids:
            came = [entry_id for entry_id, there in ids.items() if there]
            went = [entry_id for entry_id, there in ids.items() if not there]
            changes.append(SourceChange(line.first, line.serial, came, went))
        if len(changes) == MOST_CHANGES:
            break
    return changes


class HeldSummary(NamedTuple):
    """The content that the shrink guard holds: ids that would vanish, entries *before*, since when, and its digest."""

    gone: Sequence[str]
    before: int
    since: str
    digest: str


def waiting(source: SourceView | None) -> HeldSummary | None:
    """Return what *source* has waiting, or None."""
    if source is None or source.held is None or source.last_good is None:
        return None
    before, after = source.last_good.content, source.held.stored.content
    return HeldSummary(vanishing(before, after), len(before.entries), source.held.stored.changed_at, after.digest)
