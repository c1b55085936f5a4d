"""Every source that the hub reads: the record of each, its next check, and its part of a composition."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.model.status import Status
from shared.problems import RepoNotFound
from shared.signals import Signal, SourceNotice
from shared.sources.checks import Checks, must_be_readable
from shared.sources.hosts import Hosts
from shared.sources.intake import Intake
from shared.sources.keeper import Keeper
from shared.sources.restoring import admit, restored
from shared.sources.schedule import Schedule
from shared.sources.settling import Settling, must_hold
from shared.sources.source import Source

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Awaitable, Iterable, Mapping

    from shared.clock import RunningTime
    from shared.model.compose import Part
    from shared.model.kept import Kept
    from shared.model.registration import Registration
    from shared.sources.check import Checker
    from shared.sources.room import ContentRoom
    from shared.sources.source import Outcome
    from shared.storage.engine import Engine
    from shared.tally import Tally


class Sources:
    """The sources by repo. *signal* tells of each change of one that is followed, comes or goes.

    *wake* is set whenever another check may begin, *idle* while the schedule has none under way and none to begin.
    *keeper* writes it down.
    """

    def __init__(  # noqa: PLR0913 - the parts it is put together from
        self, checker: Checker, engine: Engine, room: ContentRoom, time: RunningTime, tally: Tally,
        *, max_stale_seconds: int,
    ) -> None:
        self._checker, self._holdings, self._room, self._duty = checker, engine.holdings, room, engine.duty
        self._time, self._clock, self._max_stale = time, time.clock, max_stale_seconds
        self._sources: dict[str, Source] = {}
        self._hosts = hosts = Hosts()
        self._intake = Intake(time, max_stale_seconds)
        self._settling = Settling(engine, room, time.clock, tally, self._changed)
        self._checks = Checks(checker, self._intake, self._settling, hosts, time.clock)
        self.schedule = Schedule(self._sources, self._hosts, time.clock)
        self.keeper = Keeper(self._sources, engine, time)
        self.signal = Signal[SourceNotice]()
        self.wake, self.idle = hosts.wake, hosts.idle

    def load(self, registrations: Iterable[Registration]) -> None:
        """Follow every registration, with what was kept of its source; raise StartError for a damaged file.

        What finds no room is not served (see ``admit``).
        """
        rows = list(registrations)
        lasted, known = self._holdings.load(rows)
        self._time.resume(*lasted)
        sources = [restored(row, known[row.repo], self._time) for row in rows]
        for source in sources:
            if source.held is None:
                self._holdings.ignore(source.registration.repo, held_only=source.kept is not None)
        admit(sources, self._room, self._time)
        for source in sources:
            self._follow(source)
        self.schedule.spread()

    def tidy(self) -> None:
        """Remove what a crash or an older registration left behind of contents."""
        self._holdings.tidy(self._sources.keys())

    @property
    def on_duty(self) -> bool:
        """Whether this process is the one that checks the sources; others that share the engine do not."""
        return self._duty.mine

    def _follow(self, source: Source) -> None:
        self._sources[source.registration.repo] = source
        self._hosts.enter(source)
        self._settle(source)

    def _settle(self, source: Source) -> None:
        source.settle(self._time, self._max_stale)
        source.published = source.to_publish

    def status(self, repo: str) -> Status:
        """Return the status of the source of *repo*."""
        # One look-up: other threads ask too, while sources come and go.
        source = self._sources.get(repo)
        return Status() if source is None else source.status

    def all(self) -> Mapping[str, Source]:
        """Return every source by its repo, to look at."""
        return self._sources

    def followed(self) -> list[tuple[Registration, Status]]:
        """Return every registration with the status of its source."""
        return [(source.registration, source.status) for source in self._sources.values()]

    def parts(self) -> list[Part]:
        """Return the part of each source as of now."""
        return [source.part() for source in self._sources.values()]

    def watch(self, registration: Registration) -> bool:
        """Follow *registration* from now on; return whether that changes a source that was followed already.

        What an old URL brought is served on until the new one was read. What is new, moved or enabled is due at once.
        """
        source = self._sources.get(registration.repo)
        followed_already = source is not None
        if source is None:
            source = Source(registration, due=self._clock.monotonic(), looked=self._time.watched)
            self._follow(source)
        elif source.registration.revision >= registration.revision:
            return False
        else:
            self._replace(source, registration)
        self.schedule.call(source)
        self._noted(registration.repo)
        return followed_already

    def _replace(self, source: Source, registration: Registration) -> None:
        """Give *source* its new registration: a check under way for the old one will not count."""
        former, source.registration, source.epoch = source.registration, registration, object()
        moved = former.url != registration.url
        if moved:
            self._move(source)
            self._hosts.leave(source, former.url)
            self._hosts.enter(source)
        if moved or source.kept is None or not former.enabled:
            source.due = source.spread_to = self._clock.monotonic()
            source.looked = self._time.watched
        self._settle(source)

    def _move(self, source: Source) -> None:
        """Keep what *source* brought from its old URL, where that may be served, and nothing of what was held."""
        if source.kept is None or source.outlived(self._time, self._max_stale):
            self._settling.empty(source)
        else:
            self._settling.release(source)
            source.move()

    def forget(self, repo: str) -> None:
        """Follow *repo* no longer."""
        source = self._sources.pop(repo, None)
        if source is not None:
            source.followed, source.epoch = False, object()
            self.schedule.drop(source)
            self._settling.empty(source)
            self._hosts.leave(source, source.registration.url)
        self._noted(repo)

    def _changed(self, source: Source) -> None:
        """Bring the state of *source* up to date, and tell that it changed."""
        before = source.published
        self._settle(source)
        self.keeper.note(state=before.state != source.published.state)
        self.signal.send(SourceNotice(source.registration.repo, indexed=before != source.published))

    def _noted(self, repo: str) -> None:
        self.keeper.note()
        self.signal.send(SourceNotice(repo, indexed=True))

    def expire(self) -> None:
        """Serve no longer what was last found in order too long ago; call nothing fresh that nobody has looked at."""
        for source in self._sources.values():
            given_up = source.status.state == "stale" and source.outlived(self._time, self._max_stale)
            if given_up or source.late != source.overdue(self._time):
                self._changed(source)

    def under_way(self) -> list[str]:
        """Return the repos whose sources are being checked."""
        return [repo for repo, source in self._sources.items() if source.flight is not None]

    async def refresh(self, repo: str) -> Outcome:
        """Check the source of *repo* now, or join the check under way; return its outcome.

        Raise RepoNotFound, RepoDisabled, or StorageUnavailable when new content could not be kept.
        """
        source = self._source(repo)
        must_be_readable(source)
        outcome = None
        while outcome is None:
            source.asked = True
            outcome = await asyncio.shield(self._checks.start(source))
        return outcome

    def check(self, repo: str) -> Awaitable[Outcome | None]:
        """Begin a check of *repo*, or join the one under way; awaiting it comes to what ``refresh`` returns and raises.

        It comes to None, and nothing is fetched, while the host is in a Retry-After cool-down.
        """
        return asyncio.shield(self._checks.start(self._source(repo)))

    async def refresh_all(self, repos: Iterable[str]) -> list[Outcome]:
        """Check the sources of *repos* side by side; return the outcome of each that is still followed, by repo.

        Those whose host is in a Retry-After cool-down are left out. Raise StorageUnavailable, after all have ended,
        when content could not be kept.
        """
        return await self._checks.run_all(filter(None, map(self._sources.get, repos)))

    async def accept(self, repo: str, served: Kept, held: Kept) -> Outcome:
        """Let in *held* in the place of *served*, as ``held`` returned them; raise HeldReplaced if that is not so now.

        Raise RepoNotFound or StorageUnavailable.
        """
        return await self._settling.accept(self._source(repo), served, held, self._intake)

    def deciding(self, repo: str) -> contextlib.AbstractAsyncContextManager[None]:
        """Let nobody else decide within what is served and held of *repo*.

        Raise RepoNotFound, or StorageUnavailable while another process is on duty.
        """
        self._settling.must_be_on_duty()
        return self._source(repo).deciding

    def held(self, repo: str) -> tuple[Kept, Kept]:
        """Return the last good content of *repo* and what is held in its place, or raise RepoNotFound, NothingHeld."""
        return must_hold(self._source(repo))

    def _source(self, repo: str) -> Source:
        if repo not in self._sources:
            raise RepoNotFound(f"{repo} is not registered.")
        return self._sources[repo]

    async def secure(self) -> None:
        """Make durable what ``parts`` says at this moment; raise StorageUnavailable."""
        await self.keeper.secure()

    async def close(self) -> None:
        """End the checks that are under way; save the records of all sources, and for how long the hub has run."""
        flights = [source.flight for source in self._sources.values() if source.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        # First of all what a restart goes on from: what can't be brought to its end below must not cost that.
        await self.keeper.close()
        await self._checker.close()
