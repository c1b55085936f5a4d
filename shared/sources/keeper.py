"""Saving the records of the sources: all of them now and then, and at once those that the federated index shows."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING

from shared.model.memory import Record
from shared.problems import Problem
from shared.shortage import log_failure
from shared.storage.files.journal import Saved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.clock import RunningTime
    from shared.sources.source import Source
    from shared.storage.files.journal import Journal
    from shared.storage.files.shelf import Shelves
    from shared.tally import Tally


SAVE_SECONDS = 5.0
QUIET_SECONDS = 3600.0
SLICE = 500
_log = logging.getLogger("hub.sources")


class Keeper:
    """Tracks the records and contents that are not durable yet. One write at a time; a cancelled caller ends none."""

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
        self._saved = time.clock.monotonic()

    async def run(self) -> None:
        """Save every SAVE_SECONDS what changed, for ever; where nothing does, now and then how long the hub has run."""
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            await self._save_or_log()

    async def close(self) -> None:
        """Save everything a last time, at least how long the hub has run."""
        self.note()
        await self._save_or_log()

    async def _save_or_log(self) -> None:
        try:
            await self.save()
        except Problem as fault:
            _log.error("saving the states of the sources: %s", fault.detail)
        except Exception as fault:  # noqa: BLE001 - logged and tried again
            log_failure(_log, "saving the states of the sources", fault)

    def note(self, *, state: bool = False, content: bool = False) -> None:
        """Remember that something changed: a mere check, a *state*, or the *content* that lies on a shelf."""
        self._unsaved = True
        self._states |= state
        self._contents |= content

    async def save(self) -> None:
        """Write down everything, if anything changed since the last time or that is long ago; raise StorageUnavailable.

        How long the hub has run is part of it, and changes always: a hub in which nothing else does writes it once in
        QUIET_SECONDS, which is what a kill can take of the time that days of the shrink guard and of stale content
        are counted in.
        """
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
        now = self._time.clock.monotonic()
        if self._unsaved or now - self._saved >= QUIET_SECONDS:
            self._unsaved = self._states = self._contents = False
            try:
                records = await self._records()
                await asyncio.to_thread(self._write, Saved(self._time.ran, self._time.watched, records))
            except Exception:
                self.note(state=True, content=True)
                self._tally.wrote("states", "failed")
                raise
            self._saved = now
            self._tally.wrote("states", "done")

    async def _records(self) -> dict[str, Record]:
        """Return the records of all sources, made SLICE by SLICE, so that the event loop goes on in between.

        A source that changes after its slice is noted, and written the next time.
        """
        records: dict[str, Record] = {}
        sources = iter(list(self._sources.items()))
        while part := list(islice(sources, SLICE)):
            records |= {repo: self._record(source) for repo, source in part}
            await asyncio.sleep(0)
        return records

    def _record(self, source: Source) -> Record:
        row = source.registration
        memory = source.memory(self._time.clock)
        return Record(row.repo, row.url, row.registered_at, row.revision, source.status, memory, row.sequence)

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
