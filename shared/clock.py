"""Time, passed in: wall time is for people and files, monotonic time for intervals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """Two clocks: *now* (aware, UTC) may jump, *monotonic* (seconds) never does."""

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic

    def stamp(self, seconds_ahead: float = 0) -> str:
        """Return the present, or a moment *seconds_ahead* of it, as RFC 3339 in UTC, whole seconds."""
        moment = self.now() + timedelta(seconds=seconds_ahead)
        return moment.isoformat(timespec="seconds").removesuffix("+00:00") + "Z"

    def exact_stamp(self) -> str:
        """Return the present as RFC 3339 in UTC, to the microsecond: it orders what happens within a second."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def age(self, stamp: str) -> float:
        """Return how many seconds ago *stamp* was; negative when it lies ahead."""
        return (self.now() - datetime.fromisoformat(stamp)).total_seconds()
