"""Which update a check or an acceptance makes of its source, decided by what is served and held at that moment.

Nothing is changed here: an update is a value, which ``settling`` makes durable.

A decision may wait for a comparison of many ids. Whatever changes the source meanwhile gives it another epoch, and then
nothing is decided.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from shared.model.record import dated_faults
from shared.model.source_update import SourceUpdate
from shared.model.stored_content import HeldContent, StoredContent
from shared.sources.schedule import interval
from shared.sources.shrink_guard import loss_within_a_day, past_of, shrinks

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from shared.clock import RunningTime
    from shared.model.content import Content
    from shared.model.source import SourceView
    from shared.model.source_update import Ending
    from shared.model.status import Status
    from shared.model.stored_content import Loss
    from shared.problems import SourceProblem
    from shared.sources.check import CheckResult
    from shared.sources.source import Source

T = TypeVar("T")

FEW_IDS = 500
"""Up to so many ids are compared on the event loop, cheaper than to switch to a thread; more of them in a thread."""


class Intake:
    """Decides by the running time of the hub; content that was not in order for *max_stale* seconds is given up."""

    def __init__(self, time: RunningTime, max_stale: float) -> None:
        self._time, self._clock = time, time.clock
        self._max_stale = max_stale

    async def take(
        self, source: Source, result: CheckResult, last: StoredContent | None, duration: int
    ) -> SourceUpdate | None:
        """Let in, hold or keep the content of *result*; after a 304 that is the content of *last*.

        Return None where the source was changed meanwhile. *duration* is in milliseconds.
        """
        now, view = self._clock.stamp(), source.view
        last_good, held, row = view.last_good, view.held, view.registration
        status = view.status.checked(now, result.http_status, result.size, duration)
        content = result.content or _content(last)
        new = StoredContent(row.url, result.validators, now, content, row.registered_at, sequence=row.sequence)
        # Compared with what is served first: a source that went back to it ends the hold.
        if last_good and new.says_the_same(last_good):
            return self._stays(source, replace(new, changed_at=last_good.changed_at, past=last_good.past), status)
        if held and new.says_the_same(held.stored):
            again = held.again(new, self._time.ran)
            if again.outwaited(self._time.ran):
                return self._let_in(source, new, status)
            return self._checked(source, replace(view, held=again, status=status), "held")
        return await self._judge(source, new, status) if last_good else self._let_in(source, new, status)

    async def _judge(self, source: Source, new: StoredContent, status: Status) -> SourceUpdate | None:
        """Hold *new* if it lacks too much of what was served within a day, else let it in; None if it is outdated."""
        epoch, last_good, now = source.epoch, source.view.last_good, self._time.ran
        assert last_good is not None  # noqa: S101 - without anything that is served there is nothing to be judged by
        loss = await _beside(loss_within_a_day, last_good, new.content, now) if last_good.past else None
        too_little = await _beside(_shrinks, last_good, new.content, now) or (loss is not None and loss.too_much)
        past = () if too_little else await _beside(past_of, last_good, new.content, now)
        # Each of the three comparisons may have left the event loop, and the source may have been changed meanwhile.
        if source.epoch is not epoch:
            return None
        if too_little:
            return self._hold(source, replace(new, instead_of=last_good.content.digest), loss, status)
        return self._let_in(source, replace(new, past=past), status)

    def _stays(self, source: Source, new: StoredContent, status: Status) -> SourceUpdate:
        """Return the update to *new*, which has the digest of the last good content; written if it has another URL."""
        last_good = source.view.last_good
        moved = last_good is not None and last_good.url != new.url
        after = replace(source.view, last_good=new, held=None, status=status)
        return self._checked(source, after, "unchanged", "good" if moved else None)

    def _hold(self, source: Source, new: StoredContent, loss: Loss | None, status: Status) -> SourceUpdate:
        after = replace(source.view, held=HeldContent(new, self._time.ran, loss), status=status)
        return self._checked(source, after, "held", "held")

    def _let_in(self, source: Source, new: StoredContent, status: Status) -> SourceUpdate:
        return self._checked(source, replace(source.view, last_good=new, held=None, status=status), "changed", "good")

    def failed(self, source: Source, problem: SourceProblem, duration: int) -> SourceUpdate:
        """Return the update of a check that took *duration* milliseconds and failed with *problem*: contents stay."""
        now, view = self._clock.stamp(), source.view
        after = replace(
            view,
            faults=dated_faults(problem.faults, view.faults, now),
            failing_since=view.failing_since or now,
            held=view.held and view.held.missed(),
            status=view.status.failed(now, problem, duration),
        )
        return self._checked(source, after, "failed")

    def accepted(self, source: Source, held: StoredContent) -> SourceUpdate:
        """Return the update of an acceptance, by which *held* replaces the last good content."""
        new = replace(held, changed_at=self._clock.stamp(), instead_of="")
        return self._settled(source, replace(source.view, last_good=new, held=None), "changed", "good")

    def _checked(
        self, source: Source, after: SourceView, outcome: Ending, writes: Literal["good", "held"] | None = None
    ) -> SourceUpdate:
        """Return the update of a check that makes *after* the view of *source*; set the moments every check sets."""
        if after.status.error is None:
            after = replace(
                after, looked=self._time.watched, faults=(), failing_since=None, good=self._time.ran, unread=False
            )
        else:
            after = replace(after, looked=self._time.watched)
        wait = interval(source.registration.cache_ttl_seconds, after.status.consecutive_failures)
        return self._settled(source, after, outcome, writes, wait)

    def _settled(
        self,
        source: Source,
        after: SourceView,
        outcome: Ending,
        writes: Literal["good", "held"] | None,
        wait: float | None = None,
    ) -> SourceUpdate:
        time, now = self._time, self._clock.monotonic()
        ahead = source.starts_after(source.due if wait is None else now + wait) - now
        at, described = self._clock.stamp(ahead), after.described()
        settled = described.settled(time.ran, time.watched, self._max_stale, self._clock.stamp, at)
        # Told to the engine, which would have to look for a held file after every check otherwise.
        drops = source.view.held is not None and after.held is None
        return SourceUpdate(outcome, settled.record(max(ahead, 0.0)), after.last_good, after.held, writes, drops, wait)


def _content(last: StoredContent | None) -> Content:
    assert last is not None  # noqa: S101 - only a request with validators is answered with 304
    return last.content


def _shrinks(last_good: StoredContent, new: Content, _now: float) -> bool:
    return shrinks(last_good.content, new)


async def _beside(
    compare: Callable[[StoredContent, Content, float], T], last_good: StoredContent, new: Content, now: float
) -> T:
    """Return *compare* of all three, in a thread where the ids are more than FEW_IDS."""
    count = len(last_good.content.entries) + len(new.entries) + sum(ids.size for ids in last_good.past)
    return compare(last_good, new, now) if count <= FEW_IDS else await asyncio.to_thread(compare, last_good, new, now)
