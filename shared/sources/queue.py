"""The sources that are due, in a line for each host: the next one is found without a look at all the others."""

from __future__ import annotations

import itertools
from heapq import heappop, heappush
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.sources.hosts import Host
    from shared.sources.source import Source


class Waiting(NamedTuple):
    """A source that was *due* at a time of the monotonic clock; *number* orders those of one time."""

    due: float
    number: int
    source: Source


class _Head(NamedTuple):
    """The line of *host*, as it stood when the source of that *number* was its first; *order* is its own number."""

    due: float
    order: int
    number: int
    host: Host


class Queue:
    """Sources that wait for a check. ``put`` and ``pop`` cost O(log n) of those that wait.

    A source may be put more than once, and may have changed since: the caller looks at what it pops.
    """

    def __init__(self, sources: Iterable[Source] = ()) -> None:
        self._lines: dict[Host, list[Waiting]] = {}
        self._heads: list[_Head] = []
        self._full: set[Host] = set()
        self._numbers = itertools.count()
        # Sorted once, which makes each line a heap as it stands: much less work than to put them one by one.
        for source in sorted(sources, key=attrgetter("due")):
            line = self._lines.setdefault(source.host, [])
            line.append(Waiting(source.due, next(self._numbers), source))
            if len(line) == 1:
                self._offer(source.host)

    def put(self, source: Source) -> None:
        """Have *source* wait in the line of its host, before those that became due later."""
        waiting = Waiting(source.due, next(self._numbers), source)
        line = self._lines.setdefault(source.host, [])
        heappush(line, waiting)
        if line[0] is waiting:
            self._offer(source.host)

    def pop(self) -> Source | None:
        """Return the source that is due for longest among those whose host has room, and take it out; else None."""
        for host in [host for host in self._full if host.has_room]:
            self._full.discard(host)
            self._offer(host)
        while self._heads:
            _, _, number, host = heappop(self._heads)
            line = self._lines.get(host)
            # Since this head was pushed another source may have come to stand before it, with a head of its own.
            if not line or line[0].number != number:
                continue
            if not host.has_room:
                self._full.add(host)
                continue
            source = heappop(line).source
            self._offer(host)
            return source
        return None

    def _offer(self, host: Host) -> None:
        """Let the first of the line of *host* be popped, or forget the line where nobody waits in it."""
        line = self._lines[host]
        if line:
            first = line[0]
            heappush(self._heads, _Head(first.due, next(self._numbers), first.number, host))
        else:
            del self._lines[host]
