"""Every source the hub reads, and the rules by which their checks change what is known."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from shared.problems import Problem, RepoDisabled, RepoNotFound, SourceProblem
from shared.sources.source import LEAST_INTERVAL, Outcome, Source, describing, interval
from shared.sources.status import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.clock import Clock
    from shared.compose import Part
    from shared.registration import Registration
    from shared.sources.check import Checker, Found
    from shared.sources.journal import Journal
    from shared.sources.shelf import Shelf
    from shared.tally import Tally

_LONGEST_WAIT = 7 * 86400.0
_log = logging.getLogger("hub.sources")


class Sources:
    """The sources by repo. *news* is set whenever the federated index may have to say something else."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of which it is the sum
        self, checker: Checker, shelf: Shelf, journal: Journal, clock: Clock, tally: Tally, max_stale_seconds: int
    ) -> None:
        self._checker = checker
        self._shelf = shelf
        self._journal = journal
        self._clock = clock
        self._tally = tally
        self._max_stale = max_stale_seconds
        self._sources: dict[str, Source] = {}
        self._unsaved = False
        self.news = asyncio.Event()
        self.wake = asyncio.Event()

    def load(self, registrations: Iterable[Registration]) -> None:
        """Take up every registration with what was kept of its source; raise StartError for a damaged file."""
        statuses = self._journal.load()
        for registration in registrations:
            status = statuses.get((registration.repo, registration.url), Status())
            kept = self._shelf.load(registration.repo, registration.url)
            source = Source(registration, describing(status, kept), kept, self._due_again(status))
            self._sources[registration.repo] = source
            self._settle(source)
        self._shelf.drop_all_but(set(self._sources))

    def _due_again(self, status: Status) -> float:
        """Return when a source that was checked before the restart is due; what is fresh is not read again."""
        wait = 0.0 if status.next_check_at is None else -self._clock.age(status.next_check_at)
        return self._clock.monotonic() + min(max(wait, 0.0), _LONGEST_WAIT)

    def status(self, repo: str) -> Status:
        """Return what is known about the source of *repo*."""
        return self._sources[repo].status if repo in self._sources else Status()

    def followed(self) -> list[tuple[Registration, Status]]:
        """Return every registration with what is known about its source."""
        return [(source.registration, source.status) for source in self._sources.values()]

    def parts(self) -> list[Part]:
        """Return what each source contributes at this moment."""
        return [source.part() for source in self._sources.values()]

    def watch(self, registration: Registration) -> bool:
        """Follow *registration* from now on; return whether that changes a source that was followed already.

        A new URL drops what was read from the old one. What is new or enabled again is due at once.
        """
        source = self._sources.get(registration.repo)
        known = source is not None
        if source is None:
            source = self._sources[registration.repo] = Source(registration, Status())
        elif source.registration.revision >= registration.revision:
            return False
        self._replace(source, registration)
        self._settle(source)
        self._tell()
        return known

    def _replace(self, source: Source, registration: Registration) -> None:
        """Give *source* its new registration: a check under way for the old one will not count."""
        known, source.registration = source.registration, registration
        if known.url != registration.url:
            source.kept, source.status = None, Status()
            self._shelf.drop(registration.repo)
        if source.kept is None or not known.enabled:
            source.due = self._clock.monotonic()

    def forget(self, repo: str) -> None:
        """Follow *repo* no longer."""
        self._sources.pop(repo, None)
        self._shelf.drop(repo)
        self._tell()

    def _tell(self) -> None:
        self._unsaved = True
        self.news.set()
        self.wake.set()

    def enabled(self) -> list[str]:
        """Return the repos whose sources may be fetched."""
        return [repo for repo, source in self._sources.items() if source.registration.enabled]

    def due(self) -> list[str]:
        """Return the repos that are due for a check and have none under way."""
        now = self._clock.monotonic()
        enabled = ((repo, source) for repo, source in self._sources.items() if source.registration.enabled)
        return [repo for repo, source in enabled if source.due <= now and source.flight is None]

    def lag(self) -> float:
        """Return how many seconds the source that waits longest has been due."""
        now = self._clock.monotonic()
        waiting = (source.due for source in self._sources.values() if source.registration.enabled and not source.flight)
        return max(now - min(waiting, default=now), 0.0)

    def under_way(self) -> list[str]:
        """Return the repos whose sources are being checked."""
        return [repo for repo, source in self._sources.items() if source.flight is not None]

    async def refresh(self, repo: str) -> Outcome:
        """Check the source of *repo* now, or join the check that is under way.

        Raise RepoNotFound, RepoDisabled, or StorageUnavailable when good new content could not be kept.
        """
        source = self._sources.get(repo)
        if source is None:
            raise RepoNotFound(f"{repo} is not registered.")
        if not source.registration.enabled:
            raise RepoDisabled(f"{repo} is disabled, so its source is not fetched.")
        if source.flight is None:
            source.flight = asyncio.create_task(self._check(source))
        return await asyncio.shield(source.flight)

    async def _check(self, source: Source) -> Outcome:
        registration, started = source.registration, self._clock.monotonic()
        try:
            found = await self._checker.check(registration, source.kept)
            if self._counts(source, registration):
                return self._take(source, found, self._elapsed_ms(started))
            self._shelf.discard(found.draft)
        except SourceProblem as problem:
            if self._counts(source, registration):
                return self._fail(source, problem, self._elapsed_ms(started))
        finally:
            source.flight = None
            # Whatever happened, a full disk included, the schedule does not ask again at once.
            source.due = max(source.due, self._clock.monotonic() + LEAST_INTERVAL)
        # The registration changed meanwhile: what was read for the old one does not count.
        return await self.refresh(registration.repo)

    def _counts(self, source: Source, registration: Registration) -> bool:
        return source.registration is registration and self._sources.get(registration.repo) is source

    def _elapsed_ms(self, started: float) -> int:
        return round((self._clock.monotonic() - started) * 1000)

    def _take(self, source: Source, found: Found, duration: int) -> Outcome:
        repo, now = source.registration.repo, self._clock.stamp()
        if found.draft is not None:
            self._shelf.place(found.draft, repo)
        source.kept = found.kept
        status = source.status.checked(now, found.http_status, found.size, duration).succeeded(now)
        self._checked(source, describing(status, source.kept))
        return self._outcome(source, "unchanged" if found.draft is None else "changed")

    def _fail(self, source: Source, problem: SourceProblem, duration: int) -> Outcome:
        self._checked(source, source.status.failed(self._clock.stamp(), problem, duration))
        return self._outcome(source, "failed")

    def _outcome(self, source: Source, outcome: Literal["changed", "unchanged", "failed"]) -> Outcome:
        self._tally.checked(outcome, (source.status.duration_ms or 0) / 1000)
        return Outcome(source.registration.repo, outcome, source.status)

    def _checked(self, source: Source, status: Status) -> None:
        before = source.served, source.status.state
        wait = interval(source.registration.cache_ttl_seconds, status.consecutive_failures)
        source.due = self._clock.monotonic() + wait
        source.status = replace(status, next_check_at=self._clock.stamp(wait))
        self._settle(source)
        self._unsaved = True
        if before != (source.served, source.status.state):
            self.news.set()

    def _settle(self, source: Source) -> None:
        source.settle(self._clock, self._max_stale)

    async def refresh_all(self, repos: Iterable[str]) -> list[Outcome]:
        """Check the sources of *repos* side by side; return what came of each that is still followed, by repo.

        Raise StorageUnavailable, after all have ended, when content could not be kept.
        """
        outcomes = await asyncio.gather(*map(self.refresh, repos), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, RepoNotFound | RepoDisabled):
                raise outcome
        return sorted(outcome for outcome in outcomes if isinstance(outcome, Outcome))

    async def save(self) -> None:
        """Write the states as they are now, if they changed since the last time; raise StorageUnavailable."""
        if self._unsaved:
            self._unsaved = False
            statuses = {(repo, source.registration.url): source.status for repo, source in self._sources.items()}
            try:
                await asyncio.to_thread(self._write_down, statuses)
            except Problem:
                self._unsaved = True
                self._tally.writes["states", "failed"] += 1
                raise
            self._tally.writes["states", "done"] += 1

    def _write_down(self, statuses: dict[tuple[str, str], Status]) -> None:
        self._shelf.sync()
        self._journal.save(statuses)

    async def close(self) -> None:
        """End the checks that are under way."""
        flights = [source.flight for source in self._sources.values() if source.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._checker.close()
        try:
            await self.save()
        except Problem as fault:
            _log.error("saving the states of the sources: %s", fault.detail)
