"""What every handler receives: the hub, opened on its data directory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from shared.backup import Snapshot, sweep
from shared.capacity import Capacity
from shared.clock import Clock, RunningTime
from shared.contract import Contract
from shared.discovery import Catalogs, Naming
from shared.federation import Federation
from shared.fetch import Fetcher
from shared.fetch.guard import Guard
from shared.formats.reader import VISITORS, Reader
from shared.present import Findings
from shared.problems import NotShownYet, StorageUnavailable
from shared.reads import Reads
from shared.search import Search
from shared.shortage import cause, log_failure
from shared.sources.check import Checker
from shared.sources.life import Sources
from shared.sources.refresher import Refresher
from shared.sources.room import Room
from shared.sources.timeline import Timeline
from shared.sources.trial import Trial
from shared.storage import Bounds
from shared.storage.files.directory import DataDirectory
from shared.storage.files.journal import Journal
from shared.storage.files.shelf import Shelves
from shared.storage.files.tiny import TinyStore
from shared.tally import WRITTEN, Tally
from shared.threads import Threads
from shared.version import VERSION
from shared.web.auth import Auth
from shared.web.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from shared.federation import Document
    from shared.settings import Settings
    from shared.storage import Store

THREADS = 8
"""For what is written and composed; of what readers cause, one search index at a time and once the OpenAPI document."""
AGAIN_SECONDS = 1.0
_FILES = {"states": "states of sources", "federation": "the federated index"}
_log = logging.getLogger("hub")


def _threads() -> Threads:
    return Threads(THREADS, "hub")


@dataclass(frozen=True)
class Hub:
    """The hub's parts. Handlers act through them; nothing else is shared between requests.

    *troubles* says by the name of a background task why it ended; it is started again.
    """

    settings: Settings
    guard: Guard
    auth: Auth
    limits: Limits
    store: Store
    reader: Reader
    sources: Sources
    trial: Trial
    federation: Federation
    search: Search
    findings: Findings
    refresher: Refresher
    directory: DataDirectory
    clock: Clock
    tally: Tally
    timeline: Timeline
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    threads: Threads = field(default_factory=_threads)
    reads: Reads = field(default_factory=Reads)

    @cached_property
    def naming(self) -> Naming:
        """How capabilities are named to other systems."""
        return Naming(self.settings.public)

    @cached_property
    def catalogs(self) -> Catalogs:
        """The catalogs by which other systems find what is served."""
        return Catalogs(self.federation, self.naming, self.reads)

    @cached_property
    def contract(self) -> Contract:
        """The OpenAPI document; the router says which operations it describes."""
        return Contract(self.settings.public)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background tasks; on exit finish every write and release the lock of the data directory."""
        asyncio.get_running_loop().set_default_executor(self.threads)
        tasks = {"federation": self.federation.follow, "search": self.search.follow, "timeline": self.timeline.follow}
        tasks |= {"states": self.sources.keeper.run}
        tasks |= {"refresher": self.refresher.run} if self.settings.refresh else {}
        for name, run in tasks.items():
            self.tasks[name] = asyncio.create_task(self._run(name, run))
        try:
            yield
        finally:
            await self._close()

    async def shown(self, done: str) -> Document:
        """Return the document once it, and every search from now on, shows what was written; raise NotShownYet.

        Every write that changes what is served awaits this before it answers. *done* is the sentence that says what
        was written: it can't be taken back where the document can't be made, and the answer says so.
        """
        try:
            document = await self.federation.shown()
        except Exception as fault:
            raise _not_shown(done, fault) from fault
        await self.search.promise()
        return document

    async def snapshot(self) -> Snapshot:
        """Return all that is on disk, as of one moment between two writes; raise StorageUnavailable."""
        await self.sources.save()
        async with self.store.quiet(), self.federation.quiet():
            about = {"serial": self.federation.document.serial, "registrations": len(await self.store.registrations())}
            return await asyncio.to_thread(Snapshot, self.directory.path, self.clock.stamp(), **about)

    def checks(self) -> dict[str, str]:
        """Return how each part does: ``ok``, ``off`` or what is wrong."""
        checks = {
            "storage": self._storage(),
            "federation": self._task("federation", self.federation.trouble),
            "search": self._task("search", self.search.trouble),
        }
        checks["refresher"] = self._task("refresher", self.refresher.health()) if self.settings.refresh else "off"
        return checks | self.auth.checks()

    def _storage(self) -> str:
        failing = ", ".join(_FILES.get(what, what) for what in WRITTEN if what in self.tally.failing)
        return f"the last write of {failing} failed, the log says why; reading goes on" if failing else "ok"

    def _task(self, name: str, health: str) -> str:
        running = name in self.tasks and not self.tasks[name].done()
        return self.troubles.get(name) or health or "ok" if running else "not running"

    async def _run(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a task that never ends by itself, and again where it ends all the same."""
        while True:
            try:
                await run()
            except (Exception, asyncio.CancelledError) as fault:
                task = asyncio.current_task()
                # What the task waited for may be cancelled as well, and is no reason to end.
                if isinstance(fault, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise
                log_failure(_log, f"the task {name} ended, and is started again", fault)
                self.troubles[name] = f"ended ({cause(fault)}); it is started again"
            await asyncio.sleep(AGAIN_SECONDS)
            self.troubles.pop(name, None)

    async def _close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        parts = (self.sources, self.reader, self.timeline, self.store, self.federation, self.search, self.reads)
        for part in parts:
            try:
                await part.close()
            except Exception as fault:  # noqa: BLE001 - it keeps no other part from ending, nor the next process out
                log_failure(_log, f"ending {type(part).__name__} failed", fault)
        self.directory.close()


def _not_shown(done: str, fault: Exception) -> NotShownYet:
    """Return what is told of a write that is *done*, and that *fault* keeps from being shown."""
    status, why = None, "composing it failed"
    if isinstance(fault, StorageUnavailable):
        status = fault.answer_status
        why = fault.cause
    else:
        log_failure(_log, "composing failed", fault)
    rest = "It will as soon as that works again; until then reading shows what was served before."
    return NotShownYet(f"{done} The federated index does not show it yet: {why}. {rest}", status=status)


def open_hub(settings: Settings, clock: Clock | None = None) -> Hub:
    """Open the hub that *settings* describe, ready to serve what it served last; raise StartError."""
    clock = clock or Clock()
    directory = DataDirectory(settings.data_dir)
    try:
        sweep(directory.path)
        return _opened(settings, clock, directory)
    except BaseException:
        directory.close()
        raise


def _opened(settings: Settings, clock: Clock, directory: DataDirectory) -> Hub:
    folder, tally = directory.path, Tally()
    tally.moments["start"] = clock.now().timestamp()
    store = TinyStore(folder, clock, tally, Bounds(settings.max_registrations, settings.max_registrations_per_token))
    guard = Guard(settings.allow_networks, settings.allow_ports)
    fetcher = Fetcher(guard, f"reuse-surface-hub/{VERSION} (+{settings.public})")
    journal, room = Journal(folder / "sources.json"), Room(settings.max_capabilities, settings.max_mib)
    stale = settings.max_stale_seconds
    checker = Checker(fetcher, Reader())
    trial = Trial(checker, room, clock)
    time = RunningTime(clock, scheduled=settings.refresh)
    sources = Sources(checker, Shelves(folder), journal, room, time, tally, max_stale_seconds=stale)
    sources.load(store.all())
    federation = Federation(folder / "federated.json", sources, clock, tally)
    limits = Limits(settings, clock)
    auth = Auth(settings.token, clock, limits, settings.tokens_file)
    refresher = Refresher(sources, clock)
    search = Search(federation, clock, Naming(settings.public).facts)
    reads = Reads()
    capacity = Capacity(sources, room, settings.max_registrations, clock)
    findings = Findings(sources, federation, capacity, reads)
    timeline = Timeline(folder / "timeline.json", sources, clock)
    return Hub(
        settings,
        guard,
        auth,
        limits,
        store,
        Reader(VISITORS),
        sources,
        trial,
        federation,
        search,
        findings,
        refresher,
        directory,
        clock,
        tally,
        timeline,
        reads=reads,
    )
