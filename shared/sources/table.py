"""The sources by repo, and every change of one: nothing else assigns a field of a ``Source``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.model.source import LEAST_INTERVAL
from shared.problems import RepoNotFound
from shared.signals import Signal, SourceNotice
from shared.sources.source import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from shared.clock import RunningTime
    from shared.model.source import Outcome, SourceView
    from shared.model.source_update import SourceUpdate
    from shared.model.stored_content import StoredContent
    from shared.sources.hosts import Hosts
    from shared.sources.room import ContentRoom

AT_ONCE = 500
"""So many sources get a new date of their next check in one iteration of the event loop."""


class SourceTable:
    """The sources that are followed, each at one of *hosts*, and *room* as far as their contents count in it.

    Only the event loop's thread changes anything here; ``get``, ``views`` and a copy of ``all`` are for any thread.
    *signal* is sent after each change of a view. *generation* counts these, *states* those that have to be in a record
    before the index shows them.
    """

    def __init__(self, hosts: Hosts, room: ContentRoom, time: RunningTime, max_stale: float) -> None:
        self.hosts = hosts
        self._room = room
        self._time = time
        self._max_stale = max_stale
        self._sources: dict[str, Source] = {}
        self.generation = self.states = 0
        self.signal = Signal[SourceNotice]()

    def __len__(self) -> int:
        """Return how many sources are followed."""
        return len(self._sources)

    def get(self, repo: str) -> Source | None:
        """Return the source of *repo*, or None."""
        return self._sources.get(repo)

    def require(self, repo: str) -> Source:
        """Return the source of *repo*, or raise RepoNotFound."""
        source = self._sources.get(repo)
        if source is None:
            raise RepoNotFound(f"{repo} is not registered.")
        return source

    def all(self) -> Collection[Source]:
        """Return the live values of the dictionary: copy them before an ``await`` or in another thread."""
        return self._sources.values()

    def views(self) -> list[SourceView]:
        """Return the view of each source as of now."""
        return [source.view for source in list(self._sources.values())]

    def add(self, view: SourceView, due: float) -> Source:
        """Follow the source of *view* from now on, which is *due* then (monotonic); its contents count already."""
        source = Source(view, due)
        self._sources[view.repo] = source
        source.host = self.hosts.enter(source)
        self._settle(source)
        return source

    def edit(self, source: Source, view: SourceView, *, due: float | None) -> None:
        """Give *source* another *view*, with another registration; the check under way will not count.

        It is *due* then (monotonic clock), or as before where that is None.
        """
        former = source.registration.url
        source.epoch = object()
        self._become(source, view)
        if former != view.registration.url:
            # The index shows that the new URL was not read, and only a record tells a start of it.
            self.states += view.last_good is not None
            # Leave before enter: at the same host the set would else lose the source that it has just got.
            self.hosts.leave(source, former)
            source.host = self.hosts.enter(source)
        if due is not None:
            source.due = source.spread_to = due
        self._settle(source)

    def remove(self, repo: str) -> Source | None:
        """Follow the source of *repo* no longer, and return it; None where there is none. No check of it counts."""
        source = self._sources.pop(repo, None)
        if source is not None:
            source.followed, source.epoch = False, object()
            self._become(source, source.view.emptied())
            self.hosts.leave(source, source.registration.url)
        return source

    def settle(self, source: Source, update: SourceUpdate) -> None:
        """Apply *update*, which is durable, to *source*, and signal what that changed."""
        self._become(source, source.view.updated(update))
        if update.wait is not None:
            source.due = self._time.clock.monotonic() + update.wait
        self._signal(source)

    def outdate(self, source: Source) -> None:
        """Let a check of *source* that is under way not count."""
        source.epoch = object()

    def ask(self, source: Source) -> None:
        """Let the next check of *source*, or the one under way, go through also while its host cools down."""
        source.on_request = True

    def begin(self, source: Source, flight: asyncio.Task[Outcome | None]) -> None:
        """Note the check of *source* that is under way."""
        source.flight = flight

    def end(self, source: Source) -> None:
        """Note that no check of *source* is under way; it is due in LEAST_INTERVAL seconds at the earliest.

        A check that could not settle, as on a full disk, left the source due, and the schedule would spin over it.
        """
        source.flight, source.on_request = None, False
        source.due = max(source.due, self._time.clock.monotonic() + LEAST_INTERVAL)

    def pause(self, source: Source, seconds: float, *, host: bool) -> None:
        """Let *source* not be checked for so long or, with *host*, nothing of its host; date the next checks anew."""
        now = self._time.clock.monotonic()
        waiting: Iterable[Source] = ()
        if host:
            waiting = self.hosts.cool(source, now + seconds, now)
        else:
            source.due = max(source.due, now + seconds)
        self._date(source)
        self.date_all(list(waiting))

    def spread(self, starts: Iterable[tuple[Source, float]]) -> None:
        """Let each source be checked no sooner than at its time of *starts*, on the monotonic clock."""
        for source, at in starts:
            source.spread_to = at
            self._date(source)

    def date_all(self, sources: Sequence[Source], begin: int = 0) -> None:
        """Let *sources* say when their next checks are due: AT_ONCE of them at once, the others soon after."""
        end = begin + AT_ONCE
        for source in sources[begin:end]:
            self._date(source)
        if end < len(sources):
            asyncio.get_running_loop().call_soon(self.date_all, sources, end)

    def expire(self) -> None:
        """Settle the sources whose state changed by time alone: stale content too old to serve, checks long overdue."""
        ran, watched = self._time.ran, self._time.watched
        for source in self._sources.values():
            view = source.view
            given_up = view.status.state == "stale" and view.outlived(ran, self._max_stale)
            if given_up or view.late != view.overdue(watched):
                self._signal(source)

    def note(self, repo: str) -> None:
        """Signal that the registration of *repo* came, changed or went."""
        self.generation += 1
        self.signal.send(SourceNotice(repo, indexed=True))

    def _become(self, source: Source, view: SourceView) -> None:
        """Give *source* its *view*, and count the contents of that in the room instead of those before."""
        former, source.view = source.view, view
        for old, new in zip(_contents(former), _contents(view), strict=True):
            # Most checks bring the same content from the same URL, which has the same size: that spares summing up
            # thousands of entries. At another URL the entries have other entry URLs, so other sizes.
            if not (old and new and old.url == new.url and old.says_the_same(new)):
                self._room.leave(old.content if old else None)
                self._room.take(new.content if new else None)

    def _date(self, source: Source) -> None:
        clock = self._time.clock
        source.view = source.view.dated(clock.stamp(source.starts_at - clock.monotonic()))

    def _settle(self, source: Source) -> None:
        """Bring the state of *source* in line with the facts, and note it as what is signalled."""
        time, clock = self._time, self._time.clock
        at = clock.stamp(source.starts_at - clock.monotonic())
        source.view = source.view.settled(time.ran, time.watched, self._max_stale, clock.stamp, at)
        source.published = source.view.published

    def _signal(self, source: Source) -> None:
        """Settle *source*, count the change, and send the notice of it."""
        before = source.published
        self._settle(source)
        self.generation += 1
        self.states += before.state != source.published.state
        self.signal.send(SourceNotice(source.view.repo, indexed=before != source.published))


def _contents(view: SourceView) -> tuple[StoredContent | None, StoredContent | None]:
    return view.last_good, view.held.stored if view.held else None
