"""The background task that checks sources when they are due."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from typing import TYPE_CHECKING

from shared.problems import Overloaded, Problem, RepoDisabled, RepoNotFound
from shared.shortage import cause, log_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from shared.clock import Clock
    from shared.model.source import Outcome
    from shared.sources import Sources

LOOK_SECONDS = 1.0
STALL_SECONDS = 30.0
MOST_CHECKS = 256
SHORT_SECONDS = 90.0
"""For so long after a check ended for want of a thread, process or memory, readiness says so, unless one succeeds."""
NOT_CHECKED = "not checked, because its host answered Retry-After; next_check_at says when it is"
_log = logging.getLogger("hub.refresher")


class Refresher:
    """Starts each check as soon as it is due and its host has room.

    All sources are looked through every second. In between it wakes for what a look said will be due, for what was
    registered, and for each check that ends: that makes room for the next one of its host at once. While another
    process is on duty it starts none.
    """

    def __init__(
        self, sources: Sources, clock: Clock, look_seconds: float = LOOK_SECONDS, most_checks: int = MOST_CHECKS
    ) -> None:
        """Look through all sources every *look_seconds*, and have at most *most_checks* under way."""
        self._look_seconds, self._most_checks = look_seconds, most_checks
        self._sources = sources
        self._clock = clock
        self._checks: set[asyncio.Task[None]] = set()
        self._round = clock.monotonic()
        self._looked = -math.inf
        self._on_duty = True
        self._trouble = ""
        self._short, self._short_until = "", -math.inf

    def health(self) -> str:
        """Return ``ok``, or what keeps sources from being checked."""
        now = self._clock.monotonic()
        silent = now - self._round
        if silent >= STALL_SECONDS and not self._trouble:
            return f"has started no check for {silent:.0f} s"
        return self._trouble or (self._short if now < self._short_until else "") or "ok"

    async def run(self) -> None:
        """Check what is due; never returns. A round that fails is logged, and the next one comes after a pause."""
        wake = self._sources.wake
        while True:
            # Before the look and not after it: what becomes due while it runs sets the event, and must not be lost.
            wake.clear()
            pause = 0.0
            try:
                self._come_round()
                pause = self._pause()
                self._trouble = ""
            except Exception as fault:  # noqa: BLE001 - logged and told by readiness; the next round comes
                self._trouble = f"a round failed ({cause(fault)}); the log says how"
                log_failure(_log, "a round of the refresher failed", fault)
                # ``wake`` is set by every check that ends: a fault that stays would else fill the log at that rate.
                await asyncio.sleep(self._look_seconds)
            # Not wait_for: before Python 3.12 it could swallow a cancellation that came together with the event, and
            # the hub would never stop.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await wake.wait()

    def _pause(self) -> float:
        """Return the seconds until the next look or, if that is sooner, until a source becomes due."""
        if not self._on_duty:
            return self._look_seconds
        ahead = self._looked + self._look_seconds - self._clock.monotonic()
        return self._sources.schedule.pause(max(ahead, 0.0))

    def _come_round(self) -> None:
        now = self._clock.monotonic()
        # When this process comes on duty, or was stopped (SIGSTOP, a suspended machine), thousands may be due at once.
        stalled = now - self._round > STALL_SECONDS or not self._on_duty
        self._round, self._on_duty = now, self._sources.on_duty
        schedule = self._sources.schedule
        if not self._on_duty:
            schedule.rest()
            return
        if stalled:
            self._sources.spread()
        if now - self._looked >= self._look_seconds:
            if self._sources.follow_wall():
                _log.warning("the wall clock was set; the dates of the next checks are computed anew")
            self._sources.expire()
            schedule.look(self._look_seconds)
            self._looked = now
        while len(self._checks) < self._most_checks and (repo := schedule.following()) is not None:
            self._start(repo)

    def _start(self, repo: str) -> None:
        # Begun here and not in the task, so that the schedule counts it for its host before it is asked again.
        task = asyncio.create_task(self._check(repo, self._sources.check(repo)))
        self._checks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._checks.discard(task)
        self._sources.wake.set()

    async def _check(self, repo: str, check: Awaitable[Outcome | None]) -> None:
        try:
            outcome = await check
            if outcome is not None and outcome.outcome != "failed":
                self._short = ""
            _log.info("checked %s: %s", repo, outcome.outcome if outcome else NOT_CHECKED)
        except (RepoNotFound, RepoDisabled) as fault:
            _log.info("checking %s: %s", repo, fault.detail)
        except Overloaded as fault:
            # No fault of the source: its state is as before, and it is due again in LEAST_INTERVAL seconds.
            self._short, self._short_until = fault.detail, self._clock.monotonic() + SHORT_SECONDS
            _log.error("checking %s: %s", repo, fault.detail)
        except Problem as fault:
            _log.warning("checking %s: %s", repo, fault.detail)
        except Exception as fault:  # noqa: BLE001 - logged; one check that went wrong ends no other
            log_failure(_log, f"checking {repo}", fault)
