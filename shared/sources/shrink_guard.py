"""The shrink guard: content that would make much of a source vanish waits until a person, or a day, lets it in.

What vanishes within a day counts together: the measure is the largest set of ids that was served within the last 24
hours of the hub's running time, and never less than what is served now.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from shared.model.stored_content import HASH_BYTES, PATIENCE_SECONDS, Loss, ServedIds

if TYPE_CHECKING:
    from shared.model.content import Content
    from shared.model.stored_content import StoredContent

MOST_PAST = 8
"""So many sets of served ids are kept of one source, HASH_BYTES for each id: at most 1.3 MB for 20,000 ids."""


def vanishing(before: Content, after: Content) -> list[str]:
    """Return the ids that *after* lacks, in order."""
    still = {entry.id for entry in after.entries}
    return [entry.id for entry in before.entries if entry.id not in still]


def shrinks(before: Content, after: Content) -> bool:
    """Tell whether *after* is empty where *before* was not, or lacks more than max(1, 30 %) of its ids."""
    if before.entries and not after.entries:
        return True
    return Loss(len(vanishing(before, after)), len(before.entries)).too_much


def loss_within_a_day(last_good: StoredContent, after: Content, now: float) -> Loss | None:
    """Return what *after* lacks of the largest set that was served within the last day before *last_good*.

    None where none was, or none as large as *last_good*: then ``shrinks`` alone judges.

    Of two equally large sets the older one counts. It takes some milliseconds for thousands of ids.
    """
    past = [served for served in last_good.past if now - served.until < PATIENCE_SECONDS]
    if not past:
        return None
    largest = max(past, key=lambda served: served.size)
    if largest.size < len(last_good.content.entries):
        return None
    return Loss(len(_hashes(largest.ids) - _hashes(_hashed(after))), largest.size)


def past_of(last_good: StoredContent, after: Content, now: float) -> tuple[ServedIds, ...]:
    """Return the sets of served ids to store when *after* replaces *last_good*: at most MOST_PAST of them.

    A set that is smaller than what is served later can never be the largest again, so it is dropped.
    """
    past = [served for served in last_good.past if now - served.until < PATIENCE_SECONDS]
    if vanishing(last_good.content, after):
        past.append(ServedIds(now, _hashed(last_good.content)))
    past = [served for served in past if served.size >= len(after.entries)]
    while len(past) > MOST_PAST:
        # The two that are nearest in time become one that keeps the older ids until the later moment: the guard may be
        # too strict by that, and hold what it need not, but never too lax.
        place = min(range(1, len(past)), key=lambda number: past[number].until - past[number - 1].until)
        past[place - 1 : place + 1] = [ServedIds(past[place].until, past[place - 1].ids)]
    return tuple(past)


def _hashed(content: Content) -> bytes:
    return b"".join(blake2b(entry.id.encode(), digest_size=HASH_BYTES).digest() for entry in content.entries)


def _hashes(joined: bytes) -> set[bytes]:
    return {joined[place : place + HASH_BYTES] for place in range(0, len(joined), HASH_BYTES)}
