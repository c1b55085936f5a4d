"""The hub that every handler receives: its parts, wired together and opened on an engine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from shared.background import AGAIN_SECONDS, Background
from shared.capacity import Capacity
from shared.clock import Clock, RunningTime
from shared.contract import Contract
from shared.discovery import Catalogs, Naming
from shared.federation import GATHER_SECONDS, Federation
from shared.fetch import Fetcher
from shared.fetch.guard import Guard
from shared.findings.current import Findings
from shared.formats.reader import VISITORS, DocumentReader
from shared.model.rules import RegistrationBounds
from shared.quotas import Quotas
from shared.reads import Reads
from shared.registry import Registry
from shared.search import DEFAULT_PACE, Search, SearchPace
from shared.search.index import Index
from shared.shortage import log_failure
from shared.sources import Sources
from shared.sources.check import Checker
from shared.sources.dry_run import DryRun
from shared.sources.refresher import LOOK_SECONDS, Refresher
from shared.sources.room import ContentRoom
from shared.sources.timeline import Timeline
from shared.storage.files import FilesEngine
from shared.tally import Tally
from shared.threads import Threads
from shared.version import VERSION
from shared.web.auth import Auth
from shared.web.limits import Limits
from shared.web.prepared import Prepared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.federation import Edition
    from shared.search.index import More
    from shared.settings import Settings
    from shared.storage import Store
    from shared.storage.archive import Snapshot
    from shared.storage.engine import Engine

THREADS = 8
"""Threads for writing, composing, the search index and the OpenAPI document; other reads have their own."""
_log = logging.getLogger("hub")


@dataclass(frozen=True)
class Pace:
    """How long the parts of a hub wait, and what they keep; each part says what its own values mean."""

    search: SearchPace = DEFAULT_PACE
    make_index: Callable[[Edition, More], Index] = Index
    gather_seconds: tuple[float, float] = GATHER_SECONDS
    again_seconds: float = AGAIN_SECONDS
    look_seconds: float = LOOK_SECONDS


def _threads() -> Threads:
    return Threads(THREADS, "hub")


@dataclass(frozen=True)
class Hub:
    """The hub's parts. Handlers act through them; nothing else is shared between requests."""

    settings: Settings
    guard: Guard
    auth: Auth
    limits: Limits
    reader: DocumentReader
    sources: Sources
    dry_run: DryRun
    federation: Federation
    search: Search
    findings: Findings
    refresher: Refresher
    registry: Registry
    engine: Engine
    clock: Clock
    tally: Tally
    timeline: Timeline
    prepared: Prepared
    background: Background
    threads: Threads = field(default_factory=_threads)
    reads: Reads = field(default_factory=Reads)

    @property
    def store(self) -> Store:
        """The registrations and their history, to be read; the registry writes them."""
        return self.registry.store

    @cached_property
    def naming(self) -> Naming:
        """The names of capabilities for other systems (ARD)."""
        return Naming(self.settings.public)

    @cached_property
    def catalogs(self) -> Catalogs:
        """The AI catalogs of the served capabilities (ARD)."""
        return Catalogs(self.federation, self.naming, self.reads)

    @cached_property
    def contract(self) -> Contract:
        """The OpenAPI document; the router sets its operations."""
        return Contract(self.settings.public)

    def prepare(self) -> None:
        """Compose the first edition of the sources, with a new serial where it differs from the last one served.

        Before this nothing is written; a second call is harmless. Raise StartError or StorageUnavailable where the
        engine can't write, and release it.
        """
        try:
            self.engine.prepare()
            if self.engine.duty.mine:
                self.sources.tidy()
            self.federation.begin()
        except BaseException:
            self.close()
            raise

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background tasks; on exit finish every write and release the lock of the data directory."""
        self.prepare()
        asyncio.get_running_loop().set_default_executor(self.threads)
        runs = {
            "federation": self.federation.follow,
            "search": self.search.follow,
            "timeline": self.timeline.follow,
            "states": self.sources.record_saver.run,
        }
        runs |= {"refresher": self.refresher.run} if self.settings.refresh else {}
        self.background.start(runs)
        try:
            yield
        finally:
            await self._close()

    async def snapshot(self) -> Snapshot:
        """Return a snapshot of all durable data, as of one moment between two writes; raise StorageUnavailable."""
        await self.sources.record_saver.save()
        return await self.engine.snapshot(self.clock.stamp())

    def checks(self) -> dict[str, str]:
        """Return the health of each part by name: ``ok``, ``off``, or a sentence on what is wrong."""
        checks = {
            "storage": self.engine.health(),
            "federation": self.background.state("federation", self.federation.trouble),
            "search": self.background.state("search", self.search.trouble),
        }
        health = self.refresher.health()
        checks["refresher"] = self.background.state("refresher", health) if self.settings.refresh else "off"
        return checks | self.auth.checks()

    async def _close(self) -> None:
        await self.background.end()
        # The registry first: its writes in progress need the store and the sources to finish.
        parts = (
            self.registry, self.sources, self.reader, self.timeline, self.store, self.federation, self.search,
            self.reads,
        )  # fmt: skip
        for part in parts:
            try:
                await part.close()
            except Exception as fault:  # noqa: BLE001 - it keeps no other part from ending, nor the next process out
                log_failure(_log, f"ending {type(part).__name__} failed", fault)
        self.close()

    def close(self) -> None:
        """Release the engine, so that another process can open it; ``running`` does so when it ends."""
        self.engine.release()


def engine_of(settings: Settings, clock: Clock, tally: Tally | None = None) -> Engine:
    """Return the engine that *settings* name, not open yet: the files of the data directory."""
    bounds = RegistrationBounds(settings.max_registrations, settings.max_registrations_per_token)
    return FilesEngine(settings.data_dir, clock, tally or Tally(), bounds)


def open_hub(
    settings: Settings, clock: Clock | None = None, engine: Engine | None = None, pace: Pace | None = None
) -> Hub:
    """Open the hub that *settings* describe on *engine*, or on the files of its data directory; raise StartError.

    *pace* sets how long its parts wait for one another. Nothing is written; ``running`` or ``prepare`` makes it ready
    to serve.
    """
    clock, tally = clock or Clock(), Tally()
    engine = engine or engine_of(settings, clock, tally)
    engine.open()
    try:
        hub = _opened(settings, pace or Pace(), clock, tally, engine)
        _subscribe(hub)
    except BaseException:
        engine.release()
        raise
    return hub


def _subscribe(hub: Hub) -> None:
    """Let whatever is derived from the sources and from the served edition hear of their changes, in this order."""
    of_source = hub.sources.signal.subscribe
    of_source("the federated index", hub.federation.on_source)
    of_source("the findings", hub.findings.on_change)
    of_source("the timeline", hub.timeline.on_source)
    of_edition = hub.federation.signal.subscribe
    of_edition("the prepared answers", hub.prepared.on_edition)
    of_edition("the findings", hub.findings.on_change)
    of_edition("search", hub.search.on_edition)


def _opened(settings: Settings, pace: Pace, clock: Clock, tally: Tally, engine: Engine) -> Hub:
    tally.moments["start"] = clock.now().timestamp()
    guard = Guard(settings.allow_networks, settings.allow_ports)
    fetcher = Fetcher(guard, f"reuse-surface-hub/{VERSION} (+{settings.public})")
    room = ContentRoom(settings.max_capabilities, settings.max_mib)
    stale = settings.max_stale_seconds
    checker = Checker(fetcher, DocumentReader())
    dry_run = DryRun(checker, room, clock)
    time = RunningTime(clock, scheduled=settings.refresh)
    sources = Sources(checker, engine, room, time, tally, max_stale_seconds=stale)
    sources.load(engine.registrations.all())
    federation = Federation(engine.editions, sources, clock, tally, pace.gather_seconds)
    limits = Limits(settings, clock)
    auth = Auth(settings.token, clock, limits, settings.tokens_file)
    refresher = Refresher(sources, clock, pace.look_seconds)
    search = Search(federation, clock, Naming(settings.public).facts, pace=pace.search, make=pace.make_index)
    registry = Registry(engine.registrations, sources, federation, search, dry_run, Quotas(settings, clock))
    reads = Reads()
    capacity = Capacity(sources, room, settings.max_registrations, clock)
    findings = Findings(sources, federation, capacity, reads)
    timeline = Timeline(engine.timeline, sources, clock)
    return Hub(
        settings, guard, auth, limits, DocumentReader(VISITORS), sources, dry_run, federation, search,
        findings, refresher, registry, engine, clock, tally, timeline, Prepared(federation.document),
        Background(pace.again_seconds), reads=reads,
    )  # fmt: skip
