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
"""So many checks begin in one turn of the event loop, which takes less than a millisecond then."""


class Checks:
    """Carries out checks of sources of *table*; *intake* decides what they come to, and *settling* makes it so."""

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
        # The task counts it off: one that is refused has begun nothing.
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
                # Thousands that begin in one turn of the loop would keep every reader waiting.
                await asyncio.sleep(0)
        await _all_ended(flights)
        outcomes: list[Outcome] = []
        for ended in map(_result, flights):
            if isinstance(ended, Outcome):
                outcomes.append(ended)
            elif ended is not None and not isinstance(ended, RepoNotFound | RepoDisabled):
                raise _partly(ended) from ended
        return sorted(outcomes)

    async def _check(self, source: Source, counted: Share) -> Outcome | None:
        try:
            while True:
                share = source.share
                async with share.place():
                    self._settling.must_be_on_duty()
                    must_be_readable(source)
                    if source.share is not share:
                        continue
                    if share.host.cool_until > self._clock.monotonic() and not source.asked:
                        return None
                    # A check that somebody asked for by name says nothing about when the host may be asked next.
                    outcome = await self._attempt(source, scheduled=not source.asked)
                if outcome is not None:
                    return outcome
        finally:
            self._table.end(source)
            self._table.hosts.end(counted)

    async def _attempt(self, source: Source, *, scheduled: bool) -> Outcome | None:
        """Check once; return None when the source was changed meanwhile, so that what was found does not count."""
        registration, epoch = source.registration, source.epoch
        talk = TalkTime(self._clock, registration.registered_by)

        def still() -> bool:
            return source.epoch is epoch

        try:
            last = source.view.known
            result = await self._checker.check(registration.repo, registration.url, last, talk)
            async with source.deciding:
                if not still():
                    return None
                ended = await self._intake.take(source, result, last, talk.milliseconds)
                return None if ended is None else await self._settling.settle(source, ended, still)
        except SourceProblem as problem:
            # Behind an acceptance that is being written: the engine would keep what that decided before the failure.
            async with source.deciding:
                ended = self._intake.failed(source, problem, talk.milliseconds)
                outcome = await self._settling.settle(source, ended, still)
            if outcome is None or problem.retry_after is None or not scheduled:
                return outcome
            # Only a host that says so itself is left alone; a source that leads there waits by itself.
            itself = self._table.hosts.is_of(source, problem.host) and not problem.redirected
            self._table.pause(source, problem.retry_after, host=itself)
            return outcome._replace(source=source.status)


async def _all_ended(flights: Collection[asyncio.Task[Outcome | None]]) -> None:
    """Wait until *flights* have ended; they go on where the caller is cancelled.

    A wait costs one callback for each, where shields that are gathered cost three and are all made in one turn.
    """
    try:
        if flights:
            await asyncio.wait(flights)
    except asyncio.CancelledError:
        # Nobody is left who takes what they raise, which asyncio would log.
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
    """Return what is told of checks side by side of which one ended with *fault*: the others are not undone."""
    if isinstance(fault, Overloaded):
        return Overloaded(f"{fault.detail} The other sources were checked.", headers=fault.headers)
    if not isinstance(fault, StorageUnavailable):
        return fault
    says = f"{fault.cause[0].upper()}{fault.cause[1:]}, so what at least one source publishes now could not be kept."
    rest = "The other sources were checked, and what they brought is kept; try again later."
    return StorageUnavailable(f"{says} {rest}", status=fault.answer_status)
