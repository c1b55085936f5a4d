"""A source as a start finds it: its registration, the record of its checks, and the content on the shelves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.sources.held import Held
from shared.sources.memory import Memory
from shared.sources.schedule import longest
from shared.sources.source import Source, describing
from shared.sources.status import Status

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.registration import Registration
    from shared.sources.journal import Record
    from shared.sources.shelf import Shelves


def restored(registration: Registration, record: Record | None, shelves: Shelves, clock: Clock) -> Source:
    """Return the source of *registration* as it was when *record* was written; content comes from the *shelves*.

    Raise StartError for content that can't be read. What was checked a short while ago is not due yet.
    """
    status, memory = (record.status, record.memory) if record else (Status(), Memory())
    repo, url, now = registration.repo, registration.url, clock.monotonic()
    kept, refused = (shelf.load(repo, url) for shelf in (shelves.good, shelves.held))
    source = Source(registration, describing(status, kept), kept)
    source.marks, source.failing_since = memory.marks, memory.failing_since
    source.due = now + _wait(status, longest(registration.cache_ttl_seconds), clock)
    if source.status.succeeded_at is not None:
        source.good = now - max(clock.age(source.status.succeeded_at), 0.0)
    # What lies on the other shelf without differing is the rest of an acceptance that a crash cut short.
    if kept and refused and not refused.says_the_same(kept):
        since = memory.seen_since
        source.held = Held(refused, None if since is None else now - max(clock.age(since), 0.0), since)
    return source


def _wait(status: Status, most: float, clock: Clock) -> float:
    """Return in how many seconds a source that was checked before the start is due, *most* at most."""
    wait = 0.0 if status.next_check_at is None else -clock.age(status.next_check_at)
    return min(max(wait, 0.0), most)
