"""What the page of one source shows beside its state: the last changes of its entries, and what may be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.sources.held import vanishing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.lines import ChangeLine
    from shared.sources.source import Source

MOST_TURNS = 8


class SourceChange(NamedTuple):
    """What the serials from *first* to *serial* changed in a source: ids that came or changed, and those that went."""

    first: int
    serial: int
    came: list[str]
    went: list[str]


def recent(lines: Sequence[ChangeLine], repo: str) -> list[SourceChange]:
    """Return the last turns of *repo* in *lines*, the newest first."""
    turns: list[SourceChange] = []
    name = f'"{repo}"'.encode()
    for line in reversed(lines):
        # Reading a line takes long next to looking whether it names the repo at all.
        ids = line.delta.capabilities.get(repo) if name in line.text else None
        if ids:
            came = [entry_id for entry_id, there in ids.items() if there]
            went = [entry_id for entry_id, there in ids.items() if not there]
            turns.append(SourceChange(line.first, line.serial, came, went))
        if len(turns) == MOST_TURNS:
            break
    return turns


class HeldSummary(NamedTuple):
    """What the shrink guard holds: the ids that would vanish, of how many, when it was first seen, and its digest."""

    gone: Sequence[str]
    before: int
    since: str
    digest: str


def waiting(source: Source | None) -> HeldSummary | None:
    """Return what *source* has waiting, or None."""
    if source is None or source.held is None or source.kept is None:
        return None
    before, after = source.kept.content, source.held.kept.content
    return HeldSummary(vanishing(before, after), len(before.entries), source.held.kept.changed_at, after.digest)
