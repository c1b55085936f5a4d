"""Clocks that are passed in: wall time for people and files, monotonic time for intervals."""

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
        # Which exception it is depends on how far beyond, and on the system's C library.
        return LAST


@dataclass(frozen=True)
class Clock:
    """Two clocks: *now* (aware, UTC) may jump, *monotonic* (seconds) never does."""

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic

    def stamp(self, seconds_ahead: float = 0) -> str:
        """Return now, or *seconds_ahead* later, in the format of RFC 3339 in UTC, to the second."""
        now = self.now()
        # Near the end of the year 9999 a sum would exceed the greatest datetime.
        at = min(now, LAST - timedelta(seconds=max(seconds_ahead, 0))) + timedelta(seconds=seconds_ahead)
        return at.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"

    def exact_stamp(self) -> str:
        """Return now in the format of RFC 3339 in UTC, to the microsecond: it orders events within a second."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def age(self, stamp: str) -> float:
        """Return how many seconds ago *stamp* (RFC 3339) was; negative when it is in the future."""
        return (self.now() - datetime.fromisoformat(stamp)).total_seconds()


class RunningTime:
    """Seconds that the hub has run, summed over all its starts; time while it was off is not in them.

    They follow the monotonic clock, so setting the wall clock changes nothing. *scheduled* tells that sources are
    checked in the background in this run.
    """

    def __init__(self, clock: Clock, *, scheduled: bool) -> None:
        self.clock = clock
        self._scheduled = scheduled
        self._started = clock.monotonic()
        self._before = 0.0, 0.0

    def resume(self, ran: float, watched: float) -> None:
        """Add the seconds of the runs before, as they were saved last."""
        self._before = ran, watched

    @property
    def ran(self) -> float:
        """Seconds in which the hub ran."""
        return self._before[0] + self._here

    @property
    def watched(self) -> float:
        """Seconds in which the hub ran and also checked sources in the background."""
        return self._before[1] + self._here * self._scheduled

    @property
    def _here(self) -> float:
        return self.clock.monotonic() - self._started
