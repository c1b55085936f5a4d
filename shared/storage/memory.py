"""An engine that keeps nothing on disk: for tests, and for measuring what the disk costs.

It keeps every promise of Engine but two: nothing is left of it when its process ends, and it has no backup.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shared.model.rules import DEFAULT_BOUNDS, RegistrationBounds
from shared.model.source_update import StoredSource
from shared.problems import RepoNotFound, StartError, StorageUnavailable
from shared.storage.engine import (
    Editions,
    Engine,
    Head,
    Holdings,
    RunningSeconds,
    SoleDuty,
    StoredEdition,
    StoredSources,
    TimelineStore,
    Turn,
)
from shared.storage.ledger import Ledger, LedgerStore
from shared.storage.lines import HistoryLines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
    from contextlib import AbstractContextManager

    from shared.clock import Clock
    from shared.model.author import Author
    from shared.model.history import Change
    from shared.model.lines import ChangeLine
    from shared.model.record import Record
    from shared.model.registration import Registration
    from shared.model.rules import Decision, Edit, Note
    from shared.model.source_update import SourceUpdate
    from shared.model.spans import Span
    from shared.storage.archive import RestoreTarget, Snapshot
    from shared.storage.engine import Duty


class MemoryStore(LedgerStore):
    """A store that decides and applies each write without an ``await``, so that no other comes in between."""

    def __init__(
        self, clock: Clock, bounds: RegistrationBounds = DEFAULT_BOUNDS, lines: HistoryLines | None = None
    ) -> None:
        """Begin with nothing; *lines*, empty, get the history."""
        super().__init__(Ledger((), 0, bounds))
        self._clock = clock
        self._lines = HistoryLines() if lines is None else lines

    async def history(self, repo: str) -> Sequence[Change]:
        """Keep the promise."""
        if not (lines := self._lines.of(repo)):
            raise RepoNotFound(f"{repo} was never registered, or nothing is left of its history.")
        return lines

    async def close(self) -> None:
        """Keep the promise: there is nothing to let go of."""

    async def _write(self, repo: str, edit: Edit | Note, author: Author) -> Decision:
        decision = self._ledger.decide(repo, edit, author, self._clock.exact_stamp())
        if decision.line is not None:
            self._ledger.apply(decision)
            self._lines.keep(self._lines.numbered([decision.line]))
        return decision


class MemoryHoldings(Holdings):
    """What is stored of each repo, in a dictionary; ``settle`` never waits."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sources: dict[str, StoredSource] = {}
        self._running = RunningSeconds()
        self._ignored: dict[str, bool] = {}

    def load(self, registrations: Iterable[Registration]) -> StoredSources:
        """Keep the promise of Holdings, as all of these do."""
        return StoredSources(self._running, {row.repo: self._read_for(row) for row in registrations})

    def _read_for(self, registration: Registration) -> StoredSource:
        record, *contents = self._sources.get(registration.repo, StoredSource())
        mine = (content if content and content.read_for(registration) else None for content in contents)
        return StoredSource(record, *mine)

    async def settle(self, update: SourceUpdate, is_current: Callable[[], bool]) -> bool:
        """Keep the promise."""
        # Nothing is awaited from here to the return, as the port demands.
        if not is_current():
            return False
        stored = self._sources.get(update.record.repo, StoredSource())._replace(record=update.record)
        if update.drops_held or update.writes == "held":
            stored = stored._replace(held=update.held.stored if update.held else None)
        if update.writes == "good":
            stored = stored._replace(good=update.good)
        self._sources[update.record.repo] = stored
        return True

    async def save_records(self, records: Sequence[Record], running: RunningSeconds) -> None:
        """Keep the promise."""
        self._running = running
        for record in records:
            self._sources[record.repo] = self._sources.get(record.repo, StoredSource())._replace(record=record)

    async def secure(self) -> None:
        """Keep the promise: there is no power that could be cut."""

    def forget(self, repo: str, *, held_only: bool = False) -> None:
        """Keep the promise."""
        stored = self._sources.pop(repo, StoredSource())
        if held_only:
            self._sources[repo] = stored._replace(held=None)

    def ignore(self, repo: str, *, held_only: bool = False) -> None:
        """Keep the promise."""
        self._ignored[repo] = held_only

    def tidy(self, repos: Collection[str]) -> None:
        """Keep the promise."""
        self._sources = {repo: stored for repo, stored in self._sources.items() if repo in repos}
        for repo, held_only in self._ignored.items():
            stored = self._sources.pop(repo, None)
            if stored is not None:
                self._sources[repo] = StoredSource(stored.record, stored.good if held_only else None)
        self._ignored = {}


class MemoryEditions(Editions):
    """The last head, and the change lines that lead to it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._edition = StoredEdition(Head(), ())
        self._composing = asyncio.Lock()

    def load(self) -> StoredEdition:
        """Keep the promise of Editions, as all of these do."""
        return self._edition

    def begin(self, head: Head, lines: Sequence[ChangeLine]) -> None:
        """Keep the promise."""
        self._edition = StoredEdition(head, tuple(lines))

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Keep the promise."""
        async with self._composing:
            yield _MemoryTurn(self)


class _MemoryTurn(Turn):
    def __init__(self, editions: MemoryEditions) -> None:
        self._editions = editions

    async def publish(self, head: Head, lines: Sequence[ChangeLine]) -> None:
        self._editions.begin(head, lines)


class MemoryTimeline(TimelineStore):
    """The spans that were saved last."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._spans: tuple[Span, ...] = ()

    def load(self) -> list[Span]:
        """Keep the promise of TimelineStore."""
        return list(self._spans)

    async def save(self, spans: Sequence[Span]) -> None:
        """Keep the promise of TimelineStore."""
        self._spans = tuple(spans)


class MemoryEngine(Engine):
    """All parts in memory. What was stored is there when the same object is opened again."""

    folder = None

    def __init__(self, clock: Clock, bounds: RegistrationBounds = DEFAULT_BOUNDS) -> None:
        """Begin with nothing."""
        self.registrations = MemoryStore(clock, bounds)
        self.holdings = MemoryHoldings()
        self.editions = MemoryEditions()
        self.timeline = MemoryTimeline()
        self.duty: Duty = SoleDuty()

    def open(self) -> None:
        """Keep the promise of Engine, as all of these do: there is nothing to read."""

    def prepare(self) -> None:
        """Keep the promise: a crash leaves nothing behind."""

    def health(self) -> str:
        """Keep the promise."""
        return "ok"

    async def snapshot(self, made_at: str) -> Snapshot:
        """Raise StorageUnavailable."""
        raise StorageUnavailable(f"This hub keeps nothing on disk, so at {made_at} there is nothing to back up.")

    def at_rest(self) -> AbstractContextManager[Snapshot]:
        """Raise StartError."""
        raise StartError("This hub keeps nothing on disk, so there is nothing to back up.")

    def restore_target(self) -> AbstractContextManager[RestoreTarget]:
        """Raise StartError."""
        raise StartError("This hub keeps nothing on disk, so nothing can be restored.")

    def release(self) -> None:
        """Keep the promise: no other process can hold it."""
