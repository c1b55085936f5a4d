"""Every source the hub reads: its registration, what is known about it, and the check that is under way."""

from __future__ import annotations

import asyncio
import logging
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.compose import Part
from shared.fetch import Validators
from shared.index import IndexFaulty, read_index
from shared.problems import InvalidIndex, Problem, RepoDisabled, RepoNotFound, SourceProblem
from shared.sources.shelf import Kept
from shared.sources.status import SERVED, Status, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.clock import Clock
    from shared.fetch import Fetched, Fetcher
    from shared.registration import Registration
    from shared.sources.journal import Journal
    from shared.sources.shelf import Shelf

LEAST_INTERVAL = 30.0
MOST_BACKOFF = 3600.0
JITTER = 0.1
_log = logging.getLogger("hub.sources")


@dataclass(slots=True, eq=False)
class Source:
    """One source. Only the event loop's thread changes it; *due* is on the monotonic clock."""

    registration: Registration
    status: Status
    kept: Kept | None = None
    due: float = 0.0
    flight: asyncio.Task[Outcome] | None = None


class Outcome(NamedTuple):
    """What a check came to."""

    repo: str
    outcome: Literal["changed", "unchanged", "failed"]
    source: Status


class _Read(NamedTuple):
    http_status: int
    size: int | None
    kept: Kept | None
    draft: Path | None


class Sources:
    """The sources by repo. *news* is set whenever the federated index may have to say something else."""

    def __init__(self, fetcher: Fetcher, shelf: Shelf, journal: Journal, clock: Clock, max_stale_seconds: int) -> None:
        self._fetcher = fetcher
        self._shelf = shelf
        self._journal = journal
        self._clock = clock
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
            source = Source(registration, _describing(status, kept), kept, self._due_again(status))
            self._sources[registration.repo] = source
            self._settle(source)
        self._shelf.drop_all_but(set(self._sources))

    def _due_again(self, status: Status) -> float:
        """Return when a source that was checked before the restart is due; what is fresh is not read again."""
        wait = 0.0 if status.next_check_at is None else -self._clock.age(status.next_check_at)
        longest = max(MOST_BACKOFF, 7 * 86400.0)
        return self._clock.monotonic() + min(max(wait, 0.0), longest)

    def status(self, repo: str) -> Status:
        """Return what is known about the source of *repo*."""
        return self._sources[repo].status if repo in self._sources else Status()

    def parts(self) -> list[Part]:
        """Return what each source contributes at this moment."""
        return [_part(source) for source in self._sources.values()]

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
            found = await self._read(registration, source.kept)
            if self._counts(source, registration):
                return self._take(source, found, self._elapsed_ms(started))
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

    async def _read(self, registration: Registration, kept: Kept | None) -> _Read:
        """Fetch and check; raise a SourceProblem for whatever is wrong with the source.

        Changed content comes with its draft on disk, so that taking it in is a rename.
        """
        fetched = await self._fetcher.fetch(registration.url, kept.validators if kept else Validators())
        if fetched.body is None:
            return _Read(fetched.status, None, kept, None)
        try:
            return await asyncio.to_thread(self._digest, registration, fetched, kept)
        except IndexFaulty as fault:
            raise InvalidIndex(str(fault), source_status=fetched.status) from fault
        except SourceProblem as problem:
            problem.source_status = fetched.status
            raise
        except Problem:
            raise
        except Exception as fault:
            # The boundary around one source: whatever its bytes made of us, the others go on.
            _log.exception("reading the index of %s", registration.repo)
            raise InvalidIndex("The index could not be read.", source_status=fetched.status) from fault

    def _digest(self, registration: Registration, fetched: Fetched, kept: Kept | None) -> _Read:
        """Read an index; runs in a thread."""
        body = fetched.body or b""
        content = read_index(body, registration.repo)
        if kept is not None and kept.content.digest == content.digest:
            return _Read(fetched.status, len(body), replace(kept, validators=fetched.validators), None)
        new = Kept(registration.url, fetched.validators, self._clock.stamp(), content)
        return _Read(fetched.status, len(body), new, self._shelf.draft(registration.repo, new))

    def _take(self, source: Source, found: _Read, duration: int) -> Outcome:
        repo, now = source.registration.repo, self._clock.stamp()
        if found.draft is not None:
            self._shelf.place(found.draft, repo)
        source.kept = found.kept
        status = source.status.checked(now, found.http_status, found.size, duration).succeeded(now)
        self._checked(source, _describing(status, source.kept))
        return Outcome(repo, "unchanged" if found.draft is None else "changed", source.status)

    def _fail(self, source: Source, problem: SourceProblem, duration: int) -> Outcome:
        self._checked(source, source.status.failed(self._clock.stamp(), problem, duration))
        return Outcome(source.registration.repo, "failed", source.status)

    def _checked(self, source: Source, status: Status) -> None:
        before = _served(source), source.status.state
        wait = _interval(source.registration.cache_ttl_seconds, status.consecutive_failures)
        source.due = self._clock.monotonic() + wait
        source.status = replace(status, next_check_at=self._clock.stamp(wait))
        self._settle(source)
        self._unsaved = True
        if before != (_served(source), source.status.state):
            self.news.set()

    def _settle(self, source: Source) -> None:
        succeeded = source.status.succeeded_at
        outlived = succeeded is not None and self._clock.age(succeeded) > self._max_stale
        state = state_of(
            source.status,
            enabled=source.registration.enabled,
            has_content=source.kept is not None,
            outlived=outlived and source.status.error is not None,
        )
        status = source.status if source.registration.enabled else replace(source.status, next_check_at=None)
        source.status = status.settled(state, self._clock.stamp())

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
                raise

    def _write_down(self, statuses: dict[tuple[str, str], Status]) -> None:
        self._shelf.sync()
        self._journal.save(statuses)

    async def close(self) -> None:
        """End the checks that are under way."""
        flights = [source.flight for source in self._sources.values() if source.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        await self._fetcher.close()
        try:
            await self.save()
        except Problem as fault:
            _log.error("saving the states of the sources: %s", fault.detail)


def _describing(status: Status, kept: Kept | None) -> Status:
    """Return *status* with what it says about the content in step with *kept*, which outlives a crash better."""
    if kept is None or (status.digest, status.changed_at) == (kept.content.digest, kept.changed_at):
        return status
    return replace(
        status,
        digest=kept.content.digest,
        changed_at=kept.changed_at,
        capability_count=len(kept.content.entries),
        succeeded_at=status.succeeded_at or kept.changed_at,
    )


def _served(source: Source) -> str | None:
    """Return the digest of the content that is in the federated index, None for nothing."""
    if source.kept is None or source.status.state not in SERVED:
        return None
    return source.kept.content.digest


def _part(source: Source) -> Part:
    content = source.kept.content if source.kept and source.status.state in SERVED else None
    return Part(source.registration, source.status.state, source.status.changed_at, content)


def _interval(ttl: int, failures: int) -> float:
    """Return the seconds until the next check: the time to live, or after failures an exponential backoff."""
    regular = max(float(ttl), LEAST_INTERVAL)
    if failures:
        regular = min(LEAST_INTERVAL * 2 ** min(failures - 1, 20), max(regular, MOST_BACKOFF))
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
    return max(regular * spread, LEAST_INTERVAL)
