"""The background task that checks sources when they are due, and writes down what it learnt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from shared.problems import Problem, RepoDisabled, RepoNotFound

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.sources.life import Sources

TICK_SECONDS = 1.0
PAUSE_SECONDS = 0.05
SAVE_SECONDS = 5.0
STALL_SECONDS = 30.0
MOST_CHECKS = 256
_log = logging.getLogger("hub.refresher")


class Refresher:
    """Starts the checks that are due, every second and whenever a source wakes it."""

    def __init__(self, sources: Sources, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._checks: set[asyncio.Task[None]] = set()
        self._round = self._saved = clock.monotonic()
        self._trouble = ""

    def health(self) -> str:
        """Return ``ok``, or what keeps sources from being checked."""
        silent = self._clock.monotonic() - self._round
        return self._trouble or ("ok" if silent < STALL_SECONDS else f"has not come round for {silent:.0f} s")

    async def run(self) -> None:
        """Check what is due, for ever: whatever goes wrong in one round, the next one comes."""
        while True:
            self._sources.wake.clear()
            try:
                await self._come_round()
                self._trouble = ""
            except Problem as fault:
                _log.error("saving the states of the sources: %s", fault.detail)
            except Exception as fault:  # noqa: BLE001 - logged and told by readiness; the next round comes
                self._trouble = f"a round failed ({type(fault).__name__}); the log says how"
                _log.exception("a round of the refresher failed")
            # Many that wake it at once share a round.
            await asyncio.sleep(PAUSE_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sources.wake.wait(), TICK_SECONDS)

    async def _come_round(self) -> None:
        now = self._clock.monotonic()
        stalled, self._round = now - self._round > STALL_SECONDS, now
        schedule = self._sources.schedule
        if schedule.follow_wall():
            _log.warning("the wall clock was set; the dates of the next checks are told anew")
        if stalled:
            schedule.spread()
        self._sources.expire()
        for repo in schedule.startable(MOST_CHECKS - len(self._checks)):
            self._start(repo)
        if now - self._saved >= SAVE_SECONDS:
            self._saved = now
            await self._sources.save()

    def _start(self, repo: str) -> None:
        task = asyncio.create_task(self._check(repo))
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    async def _check(self, repo: str) -> None:
        try:
            outcome = await self._sources.check(repo)
            _log.info("checked %s: %s", repo, outcome.outcome if outcome else "its host asks to be left alone")
        except (RepoNotFound, RepoDisabled) as fault:
            _log.info("checking %s: %s", repo, fault.detail)
        except Problem as fault:
            _log.warning("checking %s: %s", repo, fault.detail)
        except Exception:  # noqa: BLE001 - logged; one check that went wrong ends no other
            _log.exception("checking %s", repo)
