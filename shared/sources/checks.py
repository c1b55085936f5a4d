"""What a check, or a person, makes of a source: unchanged, changed, held or failed; one at a time for each source."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.fetch import TalkTime
from shared.problems import HeldReplaced, HubFull, NothingHeld, RepoDisabled, RepoNotFound, SourceProblem
from shared.sources.held import Held, shrinks
from shared.sources.memory import marked
from shared.sources.schedule import LEAST_INTERVAL, interval
from shared.sources.shelf import Kept
from shared.sources.source import Outcome, describing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.clock import Clock
    from shared.index import Content
    from shared.sources.check import Checker, Found
    from shared.sources.hosts import Host, Hosts
    from shared.sources.room import Room
    from shared.sources.shelf import Shelf, Shelves
    from shared.sources.source import Ending, Source
    from shared.sources.status import Status
    from shared.tally import Tally


class Checks:
    """Carries out checks and acceptances. *told* hears of each source whose state or content may have changed."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts it is put together from
        self,
        checker: Checker,
        shelves: Shelves,
        room: Room,
        hosts: Hosts,
        clock: Clock,
        tally: Tally,
        *,
        told: Callable[[Source], None],
    ) -> None:
        self._checker = checker
        self._shelves = shelves
        self._room = room
        self._hosts = hosts
        self._clock = clock
        self._tally = tally
        self._told = told

    def start(self, source: Source) -> asyncio.Task[Outcome | None]:
        """Return the check of *source* that is under way, or begin one; it counts for its host from here on.

        Its result is None while the host is in a Retry-After cool-down, unless the source was asked for by name.
        """
        if source.flight is None:
            self._hosts.begin(source.host)
            source.flight = asyncio.create_task(self._check(source, source.host))
        return source.flight

    async def _check(self, source: Source, counted: Host) -> Outcome | None:
        try:
            while True:
                host = source.host
                async with host.gate:
                    must_be_readable(source)
                    if source.host is not host:
                        continue
                    if host.cool_until > self._clock.monotonic() and not source.asked:
                        return None
                    outcome = await self._attempt(source)
                if outcome is not None:
                    return outcome
        finally:
            source.flight, source.asked = None, False
            # Whatever happened, a full disk included, the schedule does not ask again at once.
            source.due = max(source.due, self._clock.monotonic() + LEAST_INTERVAL)
            self._hosts.end(counted)

    async def _attempt(self, source: Source) -> Outcome | None:
        """Check once; return None when the source was changed meanwhile, so that what was found does not count."""
        registration, epoch, talk = source.registration, source.epoch, TalkTime(self._clock)
        try:
            known = source.known
            found = await self._checker.check(registration.repo, registration.url, known, talk)
            if source.epoch is not epoch:
                return None
            return await self._take(source, found, known, talk.milliseconds)
        except SourceProblem as problem:
            if source.epoch is not epoch:
                return None
            return self._fail(source, problem, talk.milliseconds)

    async def _take(self, source: Source, found: Found, known: Kept | None, duration: int) -> Outcome | None:
        """Decide what becomes of the content that was found; without any it is what was *known*."""
        now, kept, held = self._clock.stamp(), source.kept, source.held
        status = source.status.checked(now, found.http_status, found.size, duration).succeeded(now)
        new = Kept(source.registration.url, found.validators, now, found.content or _content(known))
        if kept and new.says_the_same(kept):
            source.kept = replace(new, changed_at=kept.changed_at)
            self._release(source)
            return self._ended(source, "unchanged", status)
        if held and new.says_the_same(held.kept):
            source.held = held.again(new, self._clock.monotonic(), now)
            if not source.held.outwaited(self._clock.monotonic()):
                return self._ended(source, "held", status)
        elif kept and shrinks(kept.content, new.content):
            return await self._hold(source, new, status)
        return await self._let_in(source, new, status)

    async def _hold(self, source: Source, new: Kept, status: Status) -> Outcome | None:
        _, held = source.contents
        if not await self._put(source, new, self._shelves.held, (held,)):
            return None
        self._room.leave(held)
        self._room.take(new.content)
        source.held = Held(new, self._clock.monotonic(), new.changed_at)
        return self._ended(source, "held", status)

    async def _let_in(self, source: Source, new: Kept, status: Status) -> Outcome | None:
        if not await self._put(source, new, self._shelves.good, source.contents):
            return None
        self._keep(source, new)
        return self._ended(source, "changed", status)

    async def _put(self, source: Source, new: Kept, shelf: Shelf, leaving: Iterable[Content | None]) -> bool:
        """Place *new* on the *shelf*; return False, and place nothing, when the source was changed meanwhile.

        Raise HubFull where there is no room for it, even without what is *leaving*.
        """
        epoch, repo = source.epoch, source.registration.repo
        self._room.require(leaving, new.content)
        draft = await asyncio.to_thread(shelf.draft, repo, new)
        if source.epoch is not epoch:
            shelf.discard(draft)
            return False
        try:
            # While the draft was written, the content of other sources may have taken the room.
            self._room.require(leaving, new.content)
        except HubFull:
            shelf.discard(draft)
            raise
        shelf.place(draft, repo)
        return True

    def _keep(self, source: Source, new: Kept) -> None:
        """Serve *new*, which lies on the shelf, from now on."""
        self._room.leave(source.content)
        self._room.take(new.content)
        source.kept = new
        self._release(source)

    def _release(self, source: Source) -> None:
        """Drop what is held of *source*, in memory and on the shelf."""
        if source.held:
            self._room.leave(source.held.kept.content)
            self._shelves.held.drop(source.registration.repo)
            source.held = None

    async def accept(self, source: Source, served: Kept, held: Kept) -> Outcome:
        """Let in *held* in the place of *served*, or raise HeldReplaced and let in nothing.

        A check under way that began before is begun anew: what it decided rests on what was served before.
        """
        repo = source.registration.repo
        _must_still_hold(source, served, held)
        new = replace(held, changed_at=self._clock.stamp())
        draft = await asyncio.to_thread(self._shelves.good.draft, repo, new)
        try:
            _must_still_hold(source, served, held)
        except HeldReplaced:
            self._shelves.good.discard(draft)
            raise
        self._shelves.good.place(draft, repo)
        source.epoch = object()
        self._keep(source, new)
        source.status = describing(source.status, new)
        self._told(source)
        return Outcome(repo, "changed", source.status)

    def _fail(self, source: Source, problem: SourceProblem, duration: int) -> Outcome:
        now = self._clock.stamp()
        source.marks = marked(problem.faults, source.marks, now)
        source.failing_since = source.failing_since or now
        source.held = source.held and source.held.missed()
        ended = self._ended(source, "failed", source.status.failed(now, problem, duration))
        if problem.retry_after is None or problem.host is None:
            return ended
        return ended._replace(source=self._cool(source, problem.host, problem.retry_after))

    def _cool(self, source: Source, host: str, seconds: float) -> Status:
        """Check nothing of *host* for so long; where that is not the host of *source*, *source* waits as well."""
        until = self._clock.monotonic() + seconds
        source.due = max(source.due, until)
        for waiting in (source, *self._hosts.cool(host, until)):
            waiting.stamp(self._clock)
        return source.status

    def _ended(self, source: Source, outcome: Ending, status: Status) -> Outcome:
        """Record what a check came to, and when the next one is due."""
        now = self._clock.monotonic()
        if status.error is None:
            source.marks, source.failing_since, source.good = (), None, now
        source.due = now + interval(source.registration.cache_ttl_seconds, status.consecutive_failures)
        source.status = describing(status, source.kept)
        self._told(source)
        self._tally.checked(outcome, (status.duration_ms or 0) / 1000)
        return Outcome(source.registration.repo, outcome, source.status)


def _content(known: Kept | None) -> Content:
    assert known is not None  # noqa: S101 - only a request with validators is answered with 304
    return known.content


def must_be_readable(source: Source) -> None:
    """Raise RepoNotFound or RepoDisabled unless *source* may be fetched."""
    repo = source.registration.repo
    if not source.followed:
        raise RepoNotFound(f"{repo} is not registered.")
    if not source.registration.enabled:
        raise RepoDisabled(f"{repo} is disabled, so its source is not fetched.")


def _must_still_hold(source: Source, served: Kept, held: Kept) -> None:
    """Raise HeldReplaced unless *served* is the last good content of *source* and *held* waits in its place."""
    now = source.held and source.held.kept
    if not (now and source.kept and now.says_the_same(held) and source.kept.says_the_same(served)):
        raise HeldReplaced(f"What was held of {source.registration.repo} is not held any more. Nothing was let in.")


def must_hold(source: Source) -> tuple[Kept, Kept]:
    """Return the last good content of *source* and what is held in its place, or raise NothingHeld."""
    if source.held is None or source.kept is None:
        raise NothingHeld(f"Nothing of {source.registration.repo} is held.")
    return source.kept, source.held.kept
