"""A source as a start finds it: its registration, the record of its checks, and the content on the shelves.

Registrations, contents and records are written one after the other, and a crash may come between any two of them. The
registration is right, always. Content counts for the registration that it was read for, and what is held for the
content that it was to replace; a record counts for that registration while its content is there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from shared.sources.held import PATIENCE_SECONDS, Held, measured
from shared.sources.memory import Memory
from shared.sources.schedule import longest
from shared.sources.source import Source, describing
from shared.sources.status import Status

if TYPE_CHECKING:
    from shared.clock import RunningTime
    from shared.registration import Registration
    from shared.sources.journal import Record
    from shared.sources.shelf import Kept, Shelves


def restored(registration: Registration, record: Record | None, shelves: Shelves, time: RunningTime) -> Source:
    """Return the source of *registration* as the files tell; remove from the *shelves* what does not count.

    Raise StartError for content that can't be read. What was checked a short while ago is not due yet.
    """
    kept = _past_clamped(shelves.good.load(registration), time)
    held = shelves.held.load(registration)
    if held is not None and not _waits(held, registration, kept):
        held = None
    if kept is None:
        shelves.good.drop(registration.repo)
    if held is None:
        shelves.held.drop(registration.repo)
    known = record if record is not None and _counts(record, registration, kept) else None
    source = Source(registration, _status(known, registration, kept), kept)
    _remember(source, known.memory if known else Memory(), time)
    source.due = time.clock.monotonic() + _wait(known, registration, kept, time)
    if kept is not None and held is not None:
        seen = known.memory.seen if known else None
        since = None if seen is None else min(seen, time.ran)
        source.held = Held(held, since, measured(kept, held.content, time.ran))
    source.unread = kept is not None and kept.url != registration.url and held is None
    return source


def _past_clamped(kept: Kept | None, time: RunningTime) -> Kept | None:
    """Return *kept* with a past that does not lie ahead, as it would where less of the running time was saved."""
    if kept is None or not kept.past:
        return kept
    past = tuple(one._replace(until=min(one.until, time.ran)) for one in kept.past)
    return replace(kept, past=tuple(one for one in past if time.ran - one.until < PATIENCE_SECONDS))


def _waits(held: Kept, registration: Registration, kept: Kept | None) -> bool:
    """Tell whether *held* still is to replace *kept*: what an acceptance or a new URL left behind is not."""
    if kept is None or held.url != registration.url or held.says_the_same(kept):
        return False
    return held.instead_of in {"", kept.content.digest}


def _counts(record: Record, registration: Registration, kept: Kept | None) -> bool:
    if record.revision == 0:
        mine = record.url == registration.url
    else:
        mine = record.registered_at == registration.registered_at
    return mine and (record.status.digest is None or kept is not None)


def _status(record: Record | None, registration: Registration, kept: Kept | None) -> Status:
    if record is None:
        return describing(Status(), kept)
    status = record.status
    if record.url != registration.url:
        status = status.moved() if kept else Status()
    read = kept is not None and kept.url == registration.url
    if kept is not None and read and kept.content.digest not in {status.digest, status.held_digest}:
        # Content that nobody accepted came by a check that found it in order, after the record was written.
        status = status.succeeded(kept.changed_at)
    return describing(status, kept)


def _remember(source: Source, memory: Memory, time: RunningTime) -> None:
    if source.status.error is not None:
        source.marks, source.failing_since = memory.marks, memory.failing_since
    # Without a record the time begins anew: what was served goes on being served.
    source.looked = time.watched if memory.looked is None else min(memory.looked, time.watched)
    if source.kept is not None:
        source.good = time.ran if memory.good is None else min(memory.good, time.ran)


def _wait(record: Record | None, registration: Registration, kept: Kept | None, time: RunningTime) -> float:
    """Return in how many seconds the source is due: as recorded, or at once where anything was changed since.

    The wall clock tells how long the hub was off, and may be wrong: the wait is never longer than it was when recorded.
    """
    if record is None or (record.revision and record.revision != registration.revision):
        return 0.0
    if record.status.next_check_at is None or (kept and kept.content.digest != record.status.digest):
        return 0.0
    most = longest(registration.cache_ttl_seconds) if record.memory.wait is None else record.memory.wait
    return min(max(-time.clock.age(record.status.next_check_at), 0.0), most)
