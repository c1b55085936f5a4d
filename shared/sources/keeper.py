"""Writing down what is known about the sources: all of it now and then, and at once what the federated index says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.sources.journal import Record, Saved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.clock import RunningTime
    from shared.sources.journal import Journal
    from shared.sources.shelf import Shelves
    from shared.sources.source import Source
    from shared.tally import Tally


class Keeper:
    """Knows what is not on disk yet. One write at a time, which no cancelled caller breaks off."""

    def __init__(
        self, sources: Mapping[str, Source], shelves: Shelves, journal: Journal, time: RunningTime, tally: Tally
    ) -> None:
        self._sources = sources
        self._time = time
        self._shelves = shelves
        self._journal = journal
        self._tally = tally
        self._writing = asyncio.Lock()
        self._unsaved = self._states = self._contents = False

    def note(self, *, state: bool = False, content: bool = False) -> None:
        """Remember that something changed: a mere check, a *state*, or the *content* that lies on a shelf."""
        self._unsaved = True
        self._states |= state
        self._contents |= content

    async def save(self) -> None:
        """Write down everything, if anything changed since the last time, or raise StorageUnavailable."""
        await asyncio.shield(asyncio.create_task(self._save()))

    async def secure(self) -> None:
        """Make durable what a federated index made now says, so that a restart says it too; raise StorageUnavailable.

        Contents lie in files of their own. What a mere check learnt may wait.
        """
        await asyncio.shield(asyncio.create_task(self._secure()))

    async def _save(self) -> None:
        async with self._writing:
            await self._save_all()

    async def _secure(self) -> None:
        # A write under way may still fail; only after it is known what is missing.
        async with self._writing:
            if self._states:
                await self._save_all()
            elif self._contents:
                await self._sync()

    async def _save_all(self) -> None:
        if self._unsaved:
            records = {repo: self._record(source) for repo, source in self._sources.items()}
            saved = Saved(self._time.ran, self._time.watched, records)
            self._unsaved = self._states = self._contents = False
            try:
                await asyncio.to_thread(self._write, saved)
            except Exception:
                self.note(state=True, content=True)
                self._tally.wrote("states", "failed")
                raise
            self._tally.wrote("states", "done")

    def _record(self, source: Source) -> Record:
        row = source.registration
        memory = source.memory(self._time.clock)
        return Record(row.repo, row.url, row.registered_at, row.revision, source.status, memory)

    def _write(self, saved: Saved) -> None:
        self._shelves.sync()
        self._journal.save(saved)

    async def _sync(self) -> None:
        self._contents = False
        try:
            await asyncio.to_thread(self._shelves.sync)
        except Exception:
            # The states count as the file that they belong to: they are tried again together.
            self.note(state=True, content=True)
            self._tally.wrote("states", "failed")
            raise
