"""When sources are due: the interval between checks, the cool-down of hosts, and no stampede.

Intervals are monotonic: a wall clock that is set forward or back moves no check.
"""

from __future__ import annotations

import random
from heapq import heapify, heappop
from typing import TYPE_CHECKING

from shared.model.source import LEAST_INTERVAL, MOST_BACKOFF, regular
from shared.sources.queue import Queue, QueuedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from shared.clock import Clock
    from shared.sources.hosts import Hosts
    from shared.sources.source import Source

JITTER = 0.1
"""Each interval is longer or shorter by up to this part, so that sources registered together drift apart."""

SPREAD_PER_SECOND = 20
MOST_SPREAD = 300.0
"""Seconds over which all overdue sources are spread at most, however many they are."""


def interval(ttl: int, failures: int) -> float:
    """Return the seconds until the next check: the time to live, or after failures an exponential backoff."""
    wait = regular(ttl)
    if failures:
        # The exponent is bounded because no float holds 2**1024, which hourly failures reach after six weeks.
        wait = min(LEAST_INTERVAL * 2 ** min(failures - 1, 20), max(wait, MOST_BACKOFF))
    return max(wait * _jitter(), LEAST_INTERVAL)


def longest(ttl: int) -> float:
    """Return the longest interval that can lie before a check: a date further ahead comes from a clock that jumped."""
    return max(regular(ttl), MOST_BACKOFF) * (1 + JITTER)


def _jitter() -> float:
    return random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing


class Schedule:
    """Which of the sources that *sources* returns are to be checked at this moment. It reads them, and changes none.

    ``look`` walks over all of them and is called about once a second; between two looks ``following`` finds the next
    one at once, whatever their number.
    """

    def __init__(self, sources: Callable[[], Collection[Source]], hosts: Hosts, clock: Clock) -> None:
        self._all = sources
        self._hosts = hosts
        self._clock = clock
        self._ahead = self._wall_ahead()
        self._called: set[Source] = set()
        self._soon: list[QueuedSource] = []
        self._queue = Queue((), hosts.under_way)

    def due(self) -> list[str]:
        """Return the repos that are due for a check and have none under way."""
        now = self._clock.monotonic()
        return [source.view.repo for source in self._all() if source.waits(now)]

    def forced(self) -> list[str]:
        """Return the repos whose sources may be fetched and whose hosts are not in a Retry-After cool-down."""
        now = self._clock.monotonic()
        enabled = (source for source in self._all() if source.view.registration.enabled)
        return [source.view.repo for source in enabled if source.host.cool_until <= now]

    def lag(self) -> float:
        """Return for how many seconds the source that waits longest is due. For any thread."""
        now = self._clock.monotonic()
        return max((now - source.due for source in list(self._all()) if source.waits(now)), default=0.0)

    def call(self, source: Source) -> None:
        """Have *source*, whose registration is new or changed, checked before the next look where it is due."""
        self._called.add(source)
        self._hosts.idle.clear()
        self._hosts.wake.set()

    def drop(self, source: Source) -> None:
        """Take *source* off the list of those that are checked before the next look."""
        self._called.discard(source)

    def look(self, seconds: float) -> None:
        """Walk over all sources: queue those that are due, and note those that will be within so many *seconds*."""
        now = self._clock.monotonic()
        due: list[Source] = []
        self._soon = []
        for number, source in enumerate(self._all()):
            if source.flight is None and source.view.registration.enabled:
                at = source.starts_at
                if at <= now:
                    due.append(source)
                elif at <= now + seconds:
                    self._soon.append(QueuedSource(at, number, source))
        heapify(self._soon)
        self._queue = Queue(due, self._hosts.under_way)

    def following(self) -> str | None:
        """Return the next repo to check now, or None: few of any one host, and the longest overdue first of an owner.

        The owner with the fewest checks under way comes first.

        The check must have begun before the next call, and each source is returned once for each look or call.
        """
        now = self._clock.monotonic()
        for source in self._called:
            self._queue.put(source)
        self._called.clear()
        while self._soon and self._soon[0].due <= now:
            self._queue.put(heappop(self._soon).source)
        while (first := self._queue.pop()) is not None:
            # The queue holds sources as of the last look; since then one may have been checked, paused or deregistered.
            if first.followed and first.waits(now) and first.spread_to <= now:
                return first.view.repo
        self.rest()
        return None

    def rest(self) -> None:
        """Note that there is nothing to begin: sets *idle* where no check is under way either."""
        if not self._hosts.checks:
            self._hosts.idle.set()

    def pause(self, most: float) -> float:
        """Return in how many seconds, *most* at most, a source becomes due that was not at the last look."""
        return min(max(self._soon[0].due - self._clock.monotonic(), 0.0), most) if self._soon else most

    def spread(self) -> list[tuple[Source, float]]:
        """Return when each of those that are overdue, after a start or a long stall, is to begin: not all at once."""
        now = self._clock.monotonic()
        overdue = [source for source in self._all() if source.waits(now)]
        window = min((len(overdue) - 1) / SPREAD_PER_SECOND, MOST_SPREAD)
        return [(source, now + random.uniform(0, window)) for source in overdue]  # noqa: S311 - the same

    def wall_was_set(self) -> bool:
        """Tell whether the wall clock was set since the last call: then the dates of the next checks are wrong."""
        ahead = self._wall_ahead()
        # Less than a second is drift: NTP slews a clock by small steps all the time.
        if abs(ahead - self._ahead) < 1:
            return False
        self._ahead = ahead
        return True

    def _wall_ahead(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()
