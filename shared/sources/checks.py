"""The checks of sources, one at a time for each: when they may begin, and what a failure does to source and host."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.fetch import TalkTime
from shared.model.source import Outcome
from shared.problems import Overloaded, RepoDisabled, RepoNotFound, SourceProblem, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from shared.clock import Clock
    from shared.sources.check import Checker
    from shared.sources.hosts import Share
    from shared.sources.intake import Intake
    from shared.sources.settling import Settling
    from shared.sources.source import Source
    from shared.sources.table import SourceTable

BEGUN_AT_ONCE = 16
"""So many checks begin in one iteration of the event loop, which takes less than a millisecond then."""


class Checks:
    """Runs the checks of sources of *table*: *intake* decides the update of each, *settling* makes it durable."""

    def __init__(self, checker: Checker, intake: Intake, settling: Settling, table: SourceTable, clock: Clock) -> None:
        self._checker = checker
        self._intake = intake
        self._settling = settling
        self._table = table
        self._clock = clock

    def start(self, source: Source) -> asyncio.Task[Outcome | None]:
        """Return the check of *source* that is under way, or begin one; it counts for its host from here on.

        Its result is None while the host is in a Retry-After cool-down, unless the source was asked for by name.
        """
        if source.flight is not None:
            return source.flight
        # Counted before the task exists, so that the schedule, which may ask again in this iteration of the loop, sees
        # the host as busy. The task counts it off; where none could be made, that is done here.
        self._table.hosts.begin(source.share)
        try:
            flight = asyncio.create_task(self._check(source, source.share))
        except BaseException:
            self._table.hosts.end(source.share)
            raise
        self._table.begin(source, flight)
        return flight

    async def run_all(self, sources: Iterable[Source]) -> list[Outcome]:
        """Check *sources* side by side; return the outcomes by repo, those in a Retry-After cool-down left out.

        What is followed no longer is left out too. Raise StorageUnavailable, after all have ended, when content could
        not be kept.
        """
        flights: list[asyncio.Task[Outcome | None]] = []
        for source in sources:
            flights.append(self.start(source))
            if len(flights) % BEGUN_AT_ONCE == 0:
                # Thousands that begin in one iteration of the loop would keep every reader waiting.
                await asyncio.sleep(0)
        await _all_ended(flights)
        outcomes: list[Outcome] = []
        for result in map(_result, flights):
            if isinstance(result, Outcome):
                outcomes.append(result)
            elif result is not None and not isinstance(result, RepoNotFound | RepoDisabled):
                raise _partly(result) from result
        return sorted(outcomes)

    async def _check(self, source: Source, counted: Share) -> Outcome | None:
        try:
            while True:
                share = source.share
                async with share.place():
                    # Waiting for a place may have taken minutes: all that was true at the start is looked at again.
                    self._settling.must_be_on_duty()
                    must_be_readable(source)
                    if source.share is not share:
                        # The URL or its owner was changed meanwhile, and the place belongs to another host or token.
                        continue
                    if share.host.cool_until > self._clock.monotonic() and not source.on_request:
                        return None
                    # A check by name ignores the cool-down, so its answer must neither begin nor prolong one.
                    outcome = await self._attempt(source, scheduled=not source.on_request)
                if outcome is not None:
                    return outcome
        finally:
            self._table.end(source)
            self._table.hosts.end(counted)

    async def _attempt(self, source: Source, *, scheduled: bool) -> Outcome | None:
        """Check once; return None when the source was changed meanwhile, so that the result does not count."""
        registration, epoch = source.registration, source.epoch
        talk = TalkTime(self._clock, registration.registered_by)

        def is_current() -> bool:
            return source.epoch is epoch

        try:
            # Read before the fetch and handed on: a 304 speaks of this content, whatever is stored by then.
            last = source.view.newest
            result = await self._checker.check(registration.repo, registration.url, last, talk)
            async with source.deciding:
                if not is_current():
                    return None
                update = await self._intake.take(source, result, last, talk.milliseconds)
                return None if update is None else await self._settling.settle(source, update, is_current)
        except SourceProblem as problem:
            # Behind an acceptance that is being written: the engine would keep what that decided before the failure.
            async with source.deciding:
                update = self._intake.failed(source, problem, talk.milliseconds)
                outcome = await self._settling.settle(source, update, is_current)
            if outcome is None or problem.retry_after is None or not scheduled:
                return outcome
            # Only the host of the registered URL speaks for all its sources. Behind a redirect just this source waits:
            # whoever owns it chose where it leads, and could else stop the checks of a host that others use.
            by_host = self._table.hosts.is_of(source, problem.host) and not problem.redirected
            self._table.pause(source, problem.retry_after, host=by_host)
            return outcome._replace(source=source.status)


async def _all_ended(flights: Collection[asyncio.Task[Outcome | None]]) -> None:
    """Wait until *flights* have ended; they go on where the caller is cancelled.

    ``asyncio.wait`` costs one callback for each; gathered shields cost three, all made in one iteration of the loop.
    """
    try:
        if flights:
            await asyncio.wait(flights)
    except asyncio.CancelledError:
        # Nobody else will ask for what they raise, and asyncio logs an exception that was never retrieved.
        for flight in flights:
            flight.add_done_callback(_result)
        raise


def _result(flight: asyncio.Task[Outcome | None]) -> Outcome | BaseException | None:
    """Return what *flight*, which has ended, returned or raised."""
    return asyncio.CancelledError() if flight.cancelled() else flight.exception() or flight.result()


def must_be_readable(source: Source) -> None:
    """Raise RepoNotFound or RepoDisabled unless *source* may be fetched."""
    repo = source.registration.repo
    if not source.followed:
        raise RepoNotFound(f"{repo} is not registered.")
    if not source.registration.enabled:
        raise RepoDisabled(f"{repo} is disabled, so its source is not fetched.")


def _partly(fault: BaseException) -> BaseException:
    """Return the problem of a call that checked many sources, one of which raised *fault*: the rest is not undone."""
    if isinstance(fault, Overloaded):
        return Overloaded(f"{fault.detail} The other sources were checked.", headers=fault.headers)
    if not isinstance(fault, StorageUnavailable):
        return fault
    says = f"{fault.cause[0].upper()}{fault.cause[1:]}, so what at least one source publishes now could not be kept."
    rest = "The other sources were checked, and what they brought is kept; try again later."
    return StorageUnavailable(f"{says} {rest}", status=fault.answer_status)
