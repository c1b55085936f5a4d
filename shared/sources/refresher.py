"""The background task that checks sources when they are due, and writes down what it learnt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.problems import Problem

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.sources.life import Sources

TICK_SECONDS = 1.0
SAVE_SECONDS = 5.0
_log = logging.getLogger("hub.refresher")


class Refresher:
    """Starts the checks that are due, every second and whenever a source wakes it."""

    def __init__(self, sources: Sources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._checks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Check what is due, for ever."""
        saved = self._clock.monotonic()
        while True:
            self._sources.wake.clear()
            for repo in self._sources.due():
                self._start(repo)
            if self._clock.monotonic() - saved >= SAVE_SECONDS:
                saved = self._clock.monotonic()
                await self._save()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sources.wake.wait(), TICK_SECONDS)

    def _start(self, repo: str) -> None:
        task = asyncio.create_task(self._check(repo))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _check(self, repo: str) -> None:
        try:
            outcome = await self._sources.refresh(repo)
            _log.info("checked %s: %s", repo, outcome.outcome)
        except Problem as fault:
            _log.warning("checking %s: %s", repo, fault.detail)

    async def _save(self) -> None:
        try:
            await self._sources.save()
        except Problem as fault:
            _log.error("saving the states of the sources: %s", fault.detail)
