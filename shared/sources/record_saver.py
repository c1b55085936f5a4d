"""Saving the records of the sources: all of them now and then, and at once those that the federated index shows."""

from __future__ import annotations

import asyncio
import logging
from itertools import islice
from typing import TYPE_CHECKING

from shared.problems import Problem
from shared.shortage import log_failure
from shared.storage.engine import RunningSeconds

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from shared.clock import RunningTime
    from shared.model.record import Record
    from shared.sources.table import SourceTable
    from shared.storage.engine import Engine


SAVE_SECONDS = 5.0
QUIET_SECONDS = 3600.0
SLICE = 100
"""Records that are made before others have their turn of the event loop: some 0.5 ms."""
_log = logging.getLogger("hub.sources")


class RecordSaver:
    """Makes the records in *table* durable, which counts what has changed. A cancelled caller ends no write.

    While another process is on duty, the records are written by that one, and none by this.
    """

    def __init__(
        self,
        table: SourceTable,
        engine: Engine,
        time: RunningTime,
        save_seconds: float = SAVE_SECONDS,
        at_once: int = SLICE,
    ) -> None:
        """Save every *save_seconds*, the records of so many sources made *at_once*."""
        self._save_seconds, self._at_once = save_seconds, at_once
        self._table = table
        self._holdings = engine.holdings
        self._duty = engine.duty
        self._time = time
        self._writing = asyncio.Lock()
        self._generation, self._states = table.generation, table.states
        self._again = False
        self._saved = time.clock.monotonic()

    async def run(self) -> None:
        """Call ``save`` every *save_seconds*; never returns. A save that fails is logged and tried again."""
        while True:
            await asyncio.sleep(self._save_seconds)
            await self._save_or_log()

    async def close(self) -> None:
        """Save everything a last time, at least how long the hub has run."""
        self._again = True
        await self._save_or_log()

    async def _save_or_log(self) -> None:
        try:
            await self.save()
        except Problem as fault:
            _log.error("saving the states of the sources: %s", fault.detail)
        except Exception as fault:  # noqa: BLE001 - logged and tried again
            log_failure(_log, "saving the states of the sources", fault)

    async def save(self) -> None:
        """Write down everything, if anything changed since the last time or that is long ago; raise StorageUnavailable.

        How long the hub has run is part of it, and changes always: a hub in which nothing else does writes it once in
        QUIET_SECONDS, which is what a kill can take of the time that days of the shrink guard and of stale content
        are counted in.
        """
        await asyncio.shield(asyncio.create_task(self._save()))

    async def secure(self) -> None:
        """Make durable what a federated index composed now says, so that a restart says the same.

        Records are written only where a state changed; contents are stored already, and only synced. The date of a
        check that changed no state waits for ``save``. Raise StorageUnavailable.
        """
        await asyncio.shield(asyncio.create_task(self._secure()))

    async def _save(self) -> None:
        async with self._writing:
            await self._save_all()

    async def _secure(self) -> None:
        # A write under way may still fail; only after it is it certain what the file lacks.
        async with self._writing:
            if self._duty.mine and (self._again or self._states != self._table.states):
                await self._save_all()
            else:
                await self._trying(self._holdings.secure())

    async def _save_all(self) -> None:
        now, generation, states = self._time.clock.monotonic(), self._table.generation, self._table.states
        changed = self._again or generation != self._generation
        if self._duty.mine and (changed or now - self._saved >= QUIET_SECONDS):
            # Cleared before the write and not after it: a failure meanwhile sets it, and must not be lost.
            self._again = False
            await self._trying(self._save_records())
            # The counts of before the write: a source that changed while it ran may be missing in the file.
            self._generation, self._states = generation, states
            self._saved = now

    async def _trying(self, write: Coroutine[None, None, None]) -> None:
        """Await *write*; where it fails, all of it is tried again."""
        try:
            await write
        except Exception:
            self._again = True
            raise

    async def _save_records(self) -> None:
        """Write the records of all sources, made some at once, so that the event loop goes on in between.

        A source that changes after its slice is written the next time: the table has counted on by then.
        """
        records: list[Record] = []
        sources = iter(list(self._table.all()))
        while part := list(islice(sources, self._at_once)):
            now = self._time.clock.monotonic()
            records += [source.record(now) for source in part]
            await asyncio.sleep(0)
        followed = [record for record in records if self._table.get(record.repo) is not None]
        await self._holdings.save_records(followed, RunningSeconds(self._time.ran, self._time.watched))
