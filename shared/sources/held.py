"""The shrink guard: content that would make much of a source vanish waits until a person, or a day, lets it in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.index import Content
    from shared.sources.shelf import Kept

PATIENCE_SECONDS = 24 * 3600.0
_PERCENT = 30


def vanishing(before: Content, after: Content) -> list[str]:
    """Return the ids that *after* lacks, in order."""
    still = {entry.id for entry in after.entries}
    return [entry.id for entry in before.entries if entry.id not in still]


def shrinks(before: Content, after: Content) -> bool:
    """Tell whether *after* is empty where *before* was not, or loses more than max(1, 30 %) of its ids."""
    if before.entries and not after.entries:
        return True
    lost = len(vanishing(before, after))
    return lost > 1 and lost * 100 > len(before.entries) * _PERCENT


@dataclass(frozen=True, slots=True)
class Held:
    """Content that was not let in. ``kept.changed_at`` says when it was first seen.

    *seen* (monotonic; *seen_since* for files) is since when every check has seen it, None after a check that did not.
    """

    kept: Kept
    seen: float | None
    seen_since: str | None

    def again(self, kept: Kept, now: float, stamp: str) -> Held:
        """Return what is held after a check that saw the same content, with its new validators."""
        if self.seen is None:
            return Held(replace(kept, changed_at=self.kept.changed_at), now, stamp)
        return replace(self, kept=replace(kept, changed_at=self.kept.changed_at))

    def missed(self) -> Held:
        """Return what is held after a check that did not see it: the day begins anew when it is seen again."""
        return replace(self, seen=None, seen_since=None)

    def outwaited(self, now: float) -> bool:
        """Tell whether every check of a whole day saw this content."""
        return self.seen is not None and now - self.seen >= PATIENCE_SECONDS
