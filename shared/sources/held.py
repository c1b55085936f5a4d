"""The shrink guard: content that would make much of a source vanish waits until a person, or a day, lets it in.

What vanishes within a day counts together: the measure is the largest set of ids that was served within the last 24
hours of the hub's running time, and never less than what is served now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared.model.content import Content
    from shared.storage.files.shelf import Kept

PATIENCE_SECONDS = 24 * 3600.0
MOST_PAST = 8
"""So many sets of ids that were served are remembered of a source, 8 bytes for each id."""
_PERCENT = 30
_SIZE = 8


class ServedIds(NamedTuple):
    """The *ids* that were served *until* a moment of the hub's running time: a hash of 8 bytes of each, one by one."""

    until: float
    ids: bytes

    @property
    def size(self) -> int:
        """How many ids they are."""
        return len(self.ids) // _SIZE


class Loss(NamedTuple):
    """*lost* of so many ids (*of*) that were served would be served no longer."""

    lost: int
    of: int

    @property
    def too_much(self) -> bool:
        """Whether that is more than max(1, 30 %)."""
        return self.lost > 1 and self.lost * 100 > self.of * _PERCENT


def vanishing(before: Content, after: Content) -> list[str]:
    """Return the ids that *after* lacks, in order."""
    still = {entry.id for entry in after.entries}
    return [entry.id for entry in before.entries if entry.id not in still]


def shrinks(before: Content, after: Content) -> bool:
    """Tell whether *after* is empty where *before* was not, or loses more than max(1, 30 %) of its ids."""
    if before.entries and not after.entries:
        return True
    return Loss(len(vanishing(before, after)), len(before.entries)).too_much


def measured(kept: Kept, after: Content, now: float) -> Loss | None:
    """Return what *after* lacks of the largest set that was served within the last day before *kept*; None without one.

    Of two equally large sets the older one counts. It takes some milliseconds for thousands of ids.
    """
    past = [one for one in kept.past if now - one.until < PATIENCE_SECONDS]
    if not past:
        return None
    largest = max(past, key=lambda one: one.size)
    if largest.size < len(kept.content.entries):
        return None
    return Loss(len(_hashes(largest.ids) - _hashes(_hashed(after))), largest.size)


def past_of(kept: Kept, after: Content, now: float) -> tuple[ServedIds, ...]:
    """Return what is to be remembered of the past when *after* takes the place of *kept*: at most MOST_PAST sets.

    Sets that are smaller than what is served later can never be the largest again.
    """
    past = [one for one in kept.past if now - one.until < PATIENCE_SECONDS]
    if vanishing(kept.content, after):
        past.append(ServedIds(now, _hashed(kept.content)))
    past = [one for one in past if one.size >= len(after.entries)]
    while len(past) > MOST_PAST:
        # The two that are nearest in time become one that lasts as long as both: too strict rather than too lax.
        place = min(range(1, len(past)), key=lambda number: past[number].until - past[number - 1].until)
        past[place - 1 : place + 1] = [ServedIds(past[place].until, past[place - 1].ids)]
    return tuple(past)


def _hashed(content: Content) -> bytes:
    return b"".join(blake2b(entry.id.encode(), digest_size=_SIZE).digest() for entry in content.entries)


def _hashes(joined: bytes) -> set[bytes]:
    return {joined[place : place + _SIZE] for place in range(0, len(joined), _SIZE)}


@dataclass(frozen=True, slots=True)
class Held:
    """Content that was not let in. ``kept.changed_at`` says when it was first seen.

    *seen* is since when every check has seen it, a moment of the hub's running time, None after a check that did not.
    *loss* is what it lacks of what was served within a day, where that is more than what is served now.
    """

    kept: Kept
    seen: float | None
    loss: Loss | None = None

    def again(self, kept: Kept, now: float) -> Held:
        """Return what is held after a check that saw the same content, with its new validators."""
        same = replace(kept, changed_at=self.kept.changed_at, instead_of=self.kept.instead_of)
        return replace(self, kept=same, seen=now if self.seen is None else self.seen)

    def missed(self) -> Held:
        """Return what is held after a check that did not see it: the day begins anew when it is seen again."""
        return replace(self, seen=None)

    def outwaited(self, now: float) -> bool:
        """Tell whether every check of a whole day saw this content."""
        return self.seen is not None and now - self.seen >= PATIENCE_SECONDS
