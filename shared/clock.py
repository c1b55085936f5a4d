"""Time, passed in: wall time is for people and files, monotonic time for intervals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""The last second that RFC 3339 can write; a clock that is set beyond it shows this one."""


def _utc_now() -> datetime:
    return moment(time.time())


def moment(seconds: float) -> datetime:
    """Return the moment *seconds* after the beginning of 1970, in UTC; LAST where it lies beyond the year 9999."""
    try:
        return min(datetime.fromtimestamp(seconds, UTC), LAST)
    except (ValueError, OverflowError, OSError):
        # Which of them it is depends on how far beyond, and on the system's C library.
        return LAST


@dataclass(frozen=True)
class Clock:
    """Two clocks: *now* (aware, UTC) may jump, *monotonic* (seconds) never does."""

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic

    def stamp(self, seconds_ahead: float = 0) -> str:
        """Return the present, or a moment *seconds_ahead* of it, as RFC 3339 in UTC, whole seconds."""
        now = self.now()
        # Near the end of the year 9999 a sum would be beyond what a date can be.
        at = min(now, LAST - timedelta(seconds=max(seconds_ahead, 0))) + timedelta(seconds=seconds_ahead)
        return at.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"

    def exact_stamp(self) -> str:
        """Return the present as RFC 3339 in UTC, to the microsecond: it orders what happens within a second."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def age(self, stamp: str) -> float:
        """Return how many seconds ago *stamp* was; negative when it lies ahead."""
        return (self.now() - datetime.fromisoformat(stamp)).total_seconds()


class RunningTime:
    """How long the hub has run, over all its starts.

    Setting a clock changes nothing, and time while the hub was off is not in it. *ran* counts every second, *watched*
    those in which sources were checked in the background.
    """

    def __init__(self, clock: Clock, *, scheduled: bool) -> None:
        self.clock = clock
        self._scheduled = scheduled
        self._started = clock.monotonic()
        self._before = 0.0, 0.0

    def resume(self, ran: float, watched: float) -> None:
        """Go on from what was saved at the end of the time before."""
        self._before = ran, watched

    @property
    def ran(self) -> float:
        """Seconds in which the hub ran."""
        return self._before[0] + self._here

    @property
    def watched(self) -> float:
        """Seconds in which it also checked sources in the background."""
        return self._before[1] + self._here * self._scheduled

    @property
    def _here(self) -> float:
        return self.clock.monotonic() - self._started
