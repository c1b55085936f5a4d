"""A source as a start finds it: its registration, the record of its checks, and the content that is kept.

Registrations, contents and records are written one after the other, and a crash may come between any two of them. The
registration is right, always. Content counts for the registration that it was read for, and what is held for the
content that it was to replace; a record counts for that registration while its content is there.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.model.kept import PATIENCE_SECONDS, Held
from shared.model.memory import Memory
from shared.model.status import Status
from shared.problems import HubFull
from shared.sources.held import measured
from shared.sources.schedule import longest
from shared.sources.source import Source, describing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.clock import RunningTime
    from shared.model.kept import Kept
    from shared.model.memory import Record
    from shared.model.registration import Registration
    from shared.model.settled import Known
    from shared.sources.room import ContentRoom

_MOST_NAMED = 20
_log = logging.getLogger("hub.sources")


def restored(registration: Registration, known: Known, time: RunningTime) -> Source:
    """Return the source of *registration* with what counts of all that is *known*.

    What was checked a short while ago is not due yet.
    """
    record, kept, held = known.record, _past_clamped(known.good, time), known.held
    if held is not None and not _waits(held, registration, kept):
        held = None
    usable = record if record is not None and _counts(record, registration, kept) else None
    source = Source(registration, _status(usable, registration, kept), kept)
    _remember(source, usable.memory if usable else Memory(), time)
    source.due = time.clock.monotonic() + _wait(usable, registration, kept, time)
    if kept is not None and held is not None:
        seen = usable.memory.seen if usable else None
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
        mine = record.registered_at == registration.registered_at and record.sequence in {0, registration.sequence}
    return mine and (record.status.digest is None or kept is not None)


def _status(record: Record | None, registration: Registration, kept: Kept | None) -> Status:
    status = Status() if record is None else record.status
    if record is not None and record.url != registration.url:
        status = status.moved() if kept else Status()
    read = kept is not None and kept.url == registration.url
    if kept is not None and status.digest is None and status.error and status.error["type"] == HubFull.slug:
        # An earlier start had no room for it; this one may have, and says so itself where it has not.
        status = replace(status, error=None, consecutive_failures=0)
    elif kept is not None and read and not _is_told_of(status, kept):
        # Content that nobody accepted came by a check that found it in order, after the record was written.
        status = replace(status.succeeded(kept.changed_at), checked_at=max(status.checked_at or "", kept.changed_at))
    return describing(status, kept)


def _is_told_of(status: Status, kept: Kept) -> bool:
    """Tell whether *status* was recorded when *kept* was there already: served, held, or left out for want of room."""
    left_out = status.digest is None and status.succeeded_at is not None and kept.changed_at <= status.succeeded_at
    return left_out or kept.content.digest in {status.digest, status.held_digest}


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


def admit(sources: Iterable[Source], room: ContentRoom, time: RunningTime) -> None:
    """Give *room* to what *sources* serve and then to what is held of them, each in the order of registration.

    What does not fit, because the bounds are lower than they were, is neither served nor held, and both the log and
    the finding ``hub-full`` say so. Its content stays where it is kept, for a start with more room.
    """
    ordered = sorted(sources, key=lambda source: source.registration.precedence)
    unserved = [source.registration.repo for source in ordered if not _serves(source, room, time)]
    unheld = [source.registration.repo for source in ordered if not _holds(source, room)]
    _warn(unserved, "nothing of these sources is served (GET /v1/findings?kind=hub-full)")
    _warn(unheld, "what was held of these sources can't be accepted until a check reads it again")


def _serves(source: Source, room: ContentRoom, time: RunningTime) -> bool:
    """Tell whether there is room for what is kept of *source*, if anything is; else it serves and holds nothing."""
    kept = source.kept
    if kept is None:
        return True
    try:
        room.admit(kept.content)
    except HubFull as full:
        source.kept, source.held, source.unread = None, None, False
        source.marks, source.failing_since = (), time.clock.stamp()
        source.status = source.status.left_out(full, kept.changed_at)
        return False
    return True


def _holds(source: Source, room: ContentRoom) -> bool:
    """Tell whether there is room for what is held of *source*, if anything is; else nothing is."""
    if source.held is None:
        return True
    try:
        room.admit(source.held.kept.content)
    except HubFull:
        source.held = None
        return False
    return True


def _warn(repos: list[str], what: str) -> None:
    if repos:
        more = f" and {len(repos) - _MOST_NAMED:,} more" if len(repos) > _MOST_NAMED else ""
        bounds = "no room within REUSE_SURFACE_MAX_CAPABILITIES and REUSE_SURFACE_MAX_MIB"
        _log.warning("%s: %s: %s%s", bounds, what, ", ".join(repos[:_MOST_NAMED]), more)
