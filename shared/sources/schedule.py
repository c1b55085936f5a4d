"""When sources are due: the interval between checks, hosts that want to be left alone, and no stampede.

Intervals are monotonic: a wall clock that is set forward or back moves no check.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.clock import Clock
    from shared.sources.hosts import Host
    from shared.sources.source import Source

LEAST_INTERVAL = 30.0
MOST_BACKOFF = 3600.0
JITTER = 0.1
SPREAD_PER_SECOND = 20
MOST_SPREAD = 300.0
PER_HOST = 8


def interval(ttl: int, failures: int) -> float:
    """Return the seconds until the next check: the time to live, or after failures an exponential backoff."""
    wait = _regular(ttl)
    if failures:
        wait = min(LEAST_INTERVAL * 2 ** min(failures - 1, 20), max(wait, MOST_BACKOFF))
    return max(wait * _jitter(), LEAST_INTERVAL)


def longest(ttl: int) -> float:
    """Return the longest interval that can lie before a check: a date further ahead comes from a clock that jumped."""
    return max(_regular(ttl), MOST_BACKOFF) * (1 + JITTER)


def _regular(ttl: int) -> float:
    return max(float(ttl), LEAST_INTERVAL)


def _jitter() -> float:
    return random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing


class Schedule:
    """Which of the sources are to be checked at this moment."""

    def __init__(self, sources: Mapping[str, Source], clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._ahead = self._wall_ahead()

    def due(self) -> list[str]:
        """Return the repos that are due for a check and have none under way."""
        now = self._clock.monotonic()
        return [repo for repo, source in self._sources.items() if source.waits(now)]

    def forced(self) -> list[str]:
        """Return the repos whose sources may be fetched and whose hosts don't ask to be left alone."""
        now = self._clock.monotonic()
        enabled = ((repo, source) for repo, source in self._sources.items() if source.registration.enabled)
        return [repo for repo, source in enabled if source.host.cool_until <= now]

    def lag(self) -> float:
        """Return how many seconds the source that waits longest has been due."""
        now = self._clock.monotonic()
        return max((now - source.due for source in self._sources.values() if source.waits(now)), default=0.0)

    def startable(self, places: int) -> list[str]:
        """Return at most *places* repos to check now, the longest overdue first, and few of any one host."""
        now = self._clock.monotonic()
        waiting = [source for source in self._sources.values() if source.waits(now) and source.spread_to <= now]
        waiting.sort(key=lambda source: source.due)
        chosen: list[str] = []
        taken: Counter[Host] = Counter()
        for source in waiting:
            host = source.host
            if len(chosen) < places and host.busy + taken[host] < PER_HOST:
                chosen.append(source.registration.repo)
                taken[host] += 1
        return chosen

    def spread(self) -> None:
        """Let those that are overdue, after a start or a long stall, not all begin at once."""
        now = self._clock.monotonic()
        overdue = [source for source in self._sources.values() if source.waits(now)]
        window = min((len(overdue) - 1) / SPREAD_PER_SECOND, MOST_SPREAD)
        for source in overdue:
            source.spread_to = now + random.uniform(0, window)  # noqa: S311 - the same
            source.stamp(self._clock)

    def follow_wall(self) -> bool:
        """Tell the dates of the next checks anew if the wall clock was set; return whether it was."""
        ahead = self._wall_ahead()
        if abs(ahead - self._ahead) < 1:
            return False
        self._ahead = ahead
        for source in self._sources.values():
            source.stamp(self._clock)
        return True

    def _wall_ahead(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
