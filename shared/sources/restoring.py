"""A source at a start: made of its registration, the record of its checks, and its stored contents.

Registrations, contents and records are written one after the other, and a crash may come between any two of them. The
registration is right, always. Content counts for the registration that it was read for, and what is held for the
content that it was to replace; a record counts for that registration while its content is there.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from shared.model.record import RecordDetails
from shared.model.source import SourceView, describing
from shared.model.status import Status
from shared.model.stored_content import PATIENCE_SECONDS, HeldContent
from shared.problems import HubFull
from shared.sources.schedule import longest
from shared.sources.shrink_guard import loss_within_a_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.clock import RunningTime
    from shared.model.record import Record
    from shared.model.registration import Registration
    from shared.model.source_update import StoredSource
    from shared.model.stored_content import StoredContent
    from shared.sources.room import ContentRoom

_MOST_NAMED = 20
_log = logging.getLogger("hub.sources")


class RestoredSource(NamedTuple):
    """The view of a source after a start, and in how many seconds it is due."""

    view: SourceView
    wait: float


def restored(registration: Registration, stored: StoredSource, time: RunningTime) -> RestoredSource:
    """Return the source of *registration* with those parts of *stored* that count (see above).

    A source that was checked within its interval is due at the end of that, not at once.
    """
    record, last_good, held = stored.record, _past_clamped(stored.good, time), stored.held
    if held is not None and not _waits(held, registration, last_good):
        held = None
    usable = record if record is not None and _counts(record, registration, last_good) else None
    details = usable.details if usable else RecordDetails()
    status = _status(usable, registration, last_good)
    view = SourceView(
        registration,
        status,
        last_good,
        _held_content(held, last_good, details, time),
        # Without a record the time begins anew: what was served goes on being served.
        good=None if last_good is None else _clamped(details.good, time.ran),
        looked=_clamped(details.looked, time.watched),
        # A URL that was changed, and changed back before it was read, is the one that the content is from.
        unread=last_good is not None
        and held is None
        and (last_good.url != registration.url or status.checked_at is None),
    )
    if view.status.error is not None:
        view = replace(view, faults=details.faults, failing_since=details.failing_since)
    return RestoredSource(view, _wait(usable, registration, last_good, time))


def _clamped(moment: float | None, now: float) -> float:
    """Return *moment*, of the running time, or *now* where it is not known or lies ahead."""
    return now if moment is None else min(moment, now)


def _held_content(
    held: StoredContent | None, last_good: StoredContent | None, details: RecordDetails, time: RunningTime
) -> HeldContent | None:
    """Return *held*, which waits to replace *last_good*, with since when every check has seen it."""
    if held is None or last_good is None:
        return None
    since = None if details.seen_since is None else min(details.seen_since, time.ran)
    return HeldContent(held, since, loss_within_a_day(last_good, held.content, time.ran))


def _past_clamped(last_good: StoredContent | None, time: RunningTime) -> StoredContent | None:
    """Return *last_good* with a past that does not lie ahead, as it would where less of the running time was saved."""
    if last_good is None or not last_good.past:
        return last_good
    past = tuple(ids._replace(until=min(ids.until, time.ran)) for ids in last_good.past)
    return replace(last_good, past=tuple(ids for ids in past if time.ran - ids.until < PATIENCE_SECONDS))


def _waits(held: StoredContent, registration: Registration, last_good: StoredContent | None) -> bool:
    """Tell whether *held* still is to replace *last_good*: what an acceptance or a new URL left behind is not."""
    if last_good is None or held.url != registration.url or held.says_the_same(last_good):
        return False
    return held.instead_of in {"", last_good.content.digest}


def _counts(record: Record, registration: Registration, last_good: StoredContent | None) -> bool:
    # Format 1 of the records had neither revision nor time of registering: its URL is all that tells.
    if record.revision == 0:
        mine = record.url == registration.url
    else:
        mine = record.registered_at == registration.registered_at and record.sequence in {0, registration.sequence}
    return mine and (record.status.digest is None or last_good is not None)


def _status(record: Record | None, registration: Registration, last_good: StoredContent | None) -> Status:
    status = Status() if record is None else record.status
    if record is not None and record.url != registration.url:
        status = status.moved() if last_good else Status()
    read = last_good is not None and last_good.url == registration.url
    if last_good is not None and status.digest is None and status.error and status.error["type"] == HubFull.slug:
        # That error is of an earlier start, which had no room for it. ``admit`` sets it again where this one has none.
        status = replace(status, error=None, consecutive_failures=0)
    elif last_good is not None and read and not _is_told_of(status, last_good):
        # A crash came between the content and the record (see above): the check that brought it had succeeded.
        checked_at = max(status.checked_at or "", last_good.changed_at)
        status = replace(status.succeeded(last_good.changed_at), checked_at=checked_at)
    return describing(status, last_good)


def _is_told_of(status: Status, last_good: StoredContent) -> bool:
    """Tell whether *status* was recorded when *last_good* was there: served, held, or left out for want of room."""
    left_out = status.digest is None and status.succeeded_at is not None and last_good.changed_at <= status.succeeded_at
    return left_out or last_good.content.digest in {status.digest, status.held_digest}


def _wait(
    record: Record | None, registration: Registration, last_good: StoredContent | None, time: RunningTime
) -> float:
    """Return in how many seconds the source is due: as recorded, or at once where anything was changed since.

    The wall clock tells how long the hub was off, and may be wrong: the wait is never longer than it was when recorded.
    """
    if record is None or (record.revision and record.revision != registration.revision):
        return 0.0
    if record.status.next_check_at is None or (last_good and last_good.content.digest != record.status.digest):
        return 0.0
    most = longest(registration.cache_ttl_seconds) if record.details.wait is None else record.details.wait
    return min(max(-time.clock.age(record.status.next_check_at), 0.0), most)


def admit(views: Sequence[SourceView], room: ContentRoom, time: RunningTime) -> list[SourceView]:
    """Give *room* to the last good contents of *views* and then to the held ones, both in the order of registration.

    What does not fit, because the bounds are lower than they were, is neither served nor held in what is returned, and
    both the log and the finding ``hub-full`` say so. Its content stays where it is kept, for a start with more room.
    """
    ordered = sorted(views, key=lambda view: view.registration.precedence)
    serving = {view.repo: _serving(view, room, time) for view in ordered}
    holding = {repo: _holding(view, room) for repo, view in serving.items()}
    unserved = [view.repo for view in ordered if serving[view.repo] is not view]
    unheld = [repo for repo, view in serving.items() if holding[repo] is not view]
    _warn(unserved, "nothing of these sources is served (GET /v1/findings?kind=hub-full)")
    _warn(unheld, "what was held of these sources can't be accepted until a check reads it again")
    return [holding[view.repo] for view in views]


def _serving(view: SourceView, room: ContentRoom, time: RunningTime) -> SourceView:
    """Return *view* where *room* admits its last good content, or it has none; else one without any content."""
    last_good = view.last_good
    if last_good is None:
        return view
    try:
        room.admit(last_good.content)
    except HubFull as full:
        return replace(
            view,
            last_good=None,
            held=None,
            unread=False,
            faults=(),
            failing_since=time.clock.stamp(),
            status=view.status.left_out(full, last_good.changed_at),
        )
    return view


def _holding(view: SourceView, room: ContentRoom) -> SourceView:
    """Return *view* where *room* admits its held content, or it has none; else one that holds nothing."""
    if view.held is None:
        return view
    try:
        room.admit(view.held.stored.content)
    except HubFull:
        return replace(view, held=None)
    return view


def _warn(repos: list[str], what: str) -> None:
    if repos:
        more = f" and {len(repos) - _MOST_NAMED:,} more" if len(repos) > _MOST_NAMED else ""
        bounds = "no room within REUSE_SURFACE_MAX_CAPABILITIES and REUSE_SURFACE_MAX_MIB"
        _log.warning("%s: %s: %s%s", bounds, what, ", ".join(repos[:_MOST_NAMED]), more)
