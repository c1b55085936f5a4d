"""Every source that the hub reads: its view, its checks, and its part of a composition. The face of this package."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.model.source import SourceView
from shared.model.status import Status
from shared.sources.checks import Checks, must_be_readable
from shared.sources.hosts import Hosts
from shared.sources.intake import Intake
from shared.sources.record_saver import RecordSaver
from shared.sources.restoring import admit, restored
from shared.sources.schedule import Schedule
from shared.sources.settling import Settling, must_hold
from shared.sources.table import SourceTable

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Awaitable, Iterable

    from shared.clock import RunningTime
    from shared.model.compose import Part
    from shared.model.registration import Registration
    from shared.model.source import Outcome
    from shared.model.stored_content import StoredContent
    from shared.signals import Signal, SourceNotice
    from shared.sources.check import Checker
    from shared.sources.room import ContentRoom
    from shared.sources.source import Source
    from shared.storage.engine import Engine
    from shared.tally import Tally


class Sources:
    """The sources by repo. *signal* is sent for each change of a source, and when one comes or goes.

    *wake* is set whenever another check may begin, *idle* while the schedule has none under way and none to begin.
    *record_saver* writes down what changes.
    """

    def __init__(  # noqa: PLR0913 - the parts it is put together from
        self, checker: Checker, engine: Engine, room: ContentRoom, time: RunningTime, tally: Tally,
        *, max_stale_seconds: int,
    ) -> None:
        self._checker, self._holdings, self._room, self._duty = checker, engine.holdings, room, engine.duty
        self._time, self._clock, self._max_stale = time, time.clock, max_stale_seconds
        hosts = Hosts()
        self._table = table = SourceTable(hosts, room, time, max_stale_seconds)
        self._intake = Intake(time, max_stale_seconds)
        self._settling = Settling(engine, room, table, tally)
        self._checks = Checks(checker, self._intake, self._settling, table, time.clock)
        self.schedule = Schedule(table.all, hosts, time.clock)
        self.record_saver = RecordSaver(table, engine, time)
        self.wake, self.idle = hosts.wake, hosts.idle

    @property
    def signal(self) -> Signal[SourceNotice]:
        """The signal of the changes of sources."""
        return self._table.signal

    def load(self, registrations: Iterable[Registration]) -> None:
        """Follow every registration, with what is stored of its source; raise StartError for a damaged file.

        What finds no room is not served (see ``admit``).
        """
        rows = list(registrations)
        running, stored = self._holdings.load(rows)
        # First of all: the moments in the records are of the running time, and are clamped to it.
        self._time.resume(*running)
        sources = [restored(row, stored[row.repo], self._time) for row in rows]
        # Noted here, and removed by ``tidy`` once the hub serves: a start that fails must not have changed anything.
        for view, _ in sources:
            if view.held is None:
                self._holdings.ignore(view.repo, held_only=view.last_good is not None)
        admitted = admit([view for view, _ in sources], self._room, self._time)
        for view, (_, wait) in zip(admitted, sources, strict=True):
            self._table.add(view, self._clock.monotonic() + wait)
        self.spread()

    def tidy(self) -> None:
        """Remove the contents that a crash or an older registration left behind."""
        self._holdings.tidy({source.view.repo for source in self._table.all()})

    @property
    def on_duty(self) -> bool:
        """Whether this process is the one that checks the sources; others that share the engine do not."""
        return self._duty.mine

    def count(self) -> int:
        """Return how many sources are followed."""
        return len(self._table)

    def status(self, repo: str) -> Status:
        """Return the status of the source of *repo*. For any thread."""
        view = self.view(repo)
        return Status() if view is None else view.status

    def view(self, repo: str) -> SourceView | None:
        """Return the view of the source of *repo* as of now, or None. For any thread."""
        # One look-up: other threads ask too, while sources come and go.
        source = self._table.get(repo)
        return None if source is None else source.view

    def views(self) -> list[SourceView]:
        """Return the view of every source as of now. For any thread."""
        return self._table.views()

    def lag(self) -> float:
        """Return for how many seconds the source that waits longest is due. For any thread."""
        return self.schedule.lag()

    def followed(self) -> list[tuple[Registration, Status]]:
        """Return every registration with the status of its source."""
        return [(view.registration, view.status) for view in self.views()]

    def parts(self) -> list[Part]:
        """Return the part of each source as of now."""
        return [source.view.part() for source in self._table.all()]

    def watch(self, registration: Registration) -> bool:
        """Follow *registration* from now on; return whether that changes a source that was followed already.

        What an old URL brought is served on until the new one was read. What is new, moved or enabled is due at once.
        """
        source = self._table.get(registration.repo)
        followed_already = source is not None
        if source is None:
            new = SourceView(registration, looked=self._time.watched)
            source = self._table.add(new, self._clock.monotonic())
        elif source.registration.revision >= registration.revision:
            return False
        else:
            self._replace(source, registration)
        self.schedule.call(source)
        self._table.note(registration.repo)
        return followed_already

    def _replace(self, source: Source, registration: Registration) -> None:
        """Give *source* its new registration.

        At a new URL the last good content of the old one stays where it may be served; held content goes.
        """
        before = after = source.view
        moved = before.registration.url != registration.url
        if moved:
            keeps = before.last_good is not None and not before.outlived(self._time.ran, self._max_stale)
            after = before.moved() if keeps else before.emptied()
        at_once = moved or after.last_good is None or not before.registration.enabled
        looked = self._time.watched if at_once else after.looked
        after = replace(after, registration=registration, looked=looked)
        self._table.edit(source, after, due=self._clock.monotonic() if at_once else None)
        if moved and (after.last_good is None or before.held is not None):
            self._holdings.forget(registration.repo, held_only=after.last_good is not None)

    def forget(self, repo: str) -> None:
        """Follow *repo* no longer."""
        source = self._table.remove(repo)
        if source is not None:
            self.schedule.drop(source)
            self._holdings.forget(repo)
        self._table.note(repo)

    def expire(self) -> None:
        """Settle the sources whose state changed by time alone (``SourceTable.expire``)."""
        self._table.expire()

    def spread(self) -> None:
        """Let those that are overdue, after a start or a long stall, not all begin at once."""
        self._table.spread(self.schedule.spread())

    def follow_wall(self) -> bool:
        """Date the next checks anew if the wall clock was set; return whether it was."""
        if not self.schedule.wall_was_set():
            return False
        self._table.date_all(list(self._table.all()))
        return True

    def under_way(self) -> list[str]:
        """Return the repos whose sources are being checked."""
        return [source.view.repo for source in self._table.all() if source.flight is not None]

    async def refresh(self, repo: str) -> Outcome:
        """Check the source of *repo* now, or join the check under way; return its outcome.

        Raise RepoNotFound, RepoDisabled, or StorageUnavailable when new content could not be kept.
        """
        source = self._table.require(repo)
        must_be_readable(source)
        outcome = None
        # None comes from a check that met a cool-down before it was asked for by name here: the next one goes through.
        while outcome is None:
            self._table.ask(source)
            outcome = await asyncio.shield(self._checks.start(source))
        return outcome

    def check(self, repo: str) -> Awaitable[Outcome | None]:
        """Begin a check of *repo*, or join the one under way; its result and errors are those of ``refresh``.

        The result is None, and nothing is fetched, while the host is in a Retry-After cool-down.
        """
        # Shielded, as in ``refresh``: a caller that goes away must not end a check that others wait for.
        return asyncio.shield(self._checks.start(self._table.require(repo)))

    async def refresh_all(self, repos: Iterable[str]) -> list[Outcome]:
        """Check the sources of *repos* side by side; return the outcome of each that is still followed, by repo.

        Those whose host is in a Retry-After cool-down are left out. Raise StorageUnavailable, after all have ended,
        when content could not be kept.
        """
        return await self._checks.run_all(filter(None, map(self._table.get, repos)))

    async def accept(self, repo: str, served: StoredContent, held: StoredContent) -> Outcome:
        """Let in *held* in the place of *served*, as ``held`` returned them; raise HeldReplaced if that is not so now.

        Raise RepoNotFound or StorageUnavailable.
        """
        return await self._settling.accept(self._table.require(repo), served, held, self._intake)

    def deciding(self, repo: str) -> contextlib.AbstractAsyncContextManager[None]:
        """Return the lock under which the contents of *repo* are decided; while it is held, no check or acceptance is.

        Raise RepoNotFound, or StorageUnavailable while another process is on duty.
        """
        self._settling.must_be_on_duty()
        return self._table.require(repo).deciding

    def held(self, repo: str) -> tuple[StoredContent, StoredContent]:
        """Return the last good content of *repo* and what is held in its place, or raise RepoNotFound, NothingHeld."""
        return must_hold(self._table.require(repo).view)

    async def secure(self) -> None:
        """Make durable what ``parts`` says at this moment; raise StorageUnavailable."""
        await self.record_saver.secure()

    async def close(self) -> None:
        """End the checks that are under way; save the records of all sources, and for how long the hub has run."""
        flights = [source.flight for source in self._table.all() if source.flight is not None]
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        # Before the checker: closing may hang or fail over a process, and must not cost the records of a restart.
        await self.record_saver.close()
        await self._checker.close()
