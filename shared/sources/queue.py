"""The sources that are due, in a line for each owner at each host: the next is found without a look at all others."""

from __future__ import annotations

import itertools
from heapq import heappop, heappush
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.sources.hosts import Share
    from shared.sources.source import Source


class QueuedSource(NamedTuple):
    """A source that was *due* at a time of the monotonic clock; *number* orders those of one time."""

    due: float
    number: int
    source: Source


class _Head(NamedTuple):
    """The line of *share*, as it stood when the source of that *number* was its first; *order* is its own number."""

    due: float
    order: int
    number: int
    share: Share


_NONE: Mapping[str, int] = MappingProxyType({})


class Queue:
    """Sources that wait for a check. ``put`` and ``pop`` cost O(log n) in the sources that wait, O(n) in their owners.

    A source may be put more than once, and may have changed since: the caller looks at what it pops.
    """

    def __init__(self, sources: Iterable[Source] = (), under_way: Mapping[str, int] = _NONE) -> None:
        """Let *sources* wait; *under_way* says at any moment how many checks each owner has under way."""
        self._under_way = under_way
        self._lines: dict[Share, list[QueuedSource]] = {}
        self._heads: dict[str, list[_Head]] = {}
        self._full: set[Share] = set()
        self._numbers = itertools.count()
        # A sorted list is a heap as it stands (heapq): one sort is much less work than to push them one by one.
        for source in sorted(sources, key=attrgetter("due")):
            line = self._lines.setdefault(source.share, [])
            line.append(QueuedSource(source.due, next(self._numbers), source))
            if len(line) == 1:
                self._offer(source.share)

    def put(self, source: Source) -> None:
        """Have *source* wait in the line of its share, before those that became due later."""
        waiting = QueuedSource(source.due, next(self._numbers), source)
        line = self._lines.setdefault(source.share, [])
        heappush(line, waiting)
        if line[0] is waiting:
            self._offer(source.share)

    def pop(self) -> Source | None:
        """Return the next source whose share has room, and take it out; None where there is none.

        It is one of the owner with the fewest checks under way, and of that owner's the one that is due for longest.
        """
        # Heads of full shares were popped in vain before; without this they would never be offered again.
        for share in [share for share in self._full if share.has_room]:
            self._full.discard(share)
            self._offer(share)
        while self._heads:
            owner = min(self._heads, key=self._rank)
            if (source := self._pop_of(self._heads[owner])) is not None:
                return source
            del self._heads[owner]
        return None

    def _rank(self, owner: str) -> tuple[int, float]:
        heads = self._heads[owner]
        return self._under_way.get(owner, 0), heads[0].due if heads else 0.0

    def _pop_of(self, heads: list[_Head]) -> Source | None:
        """Return and take out the first source of *heads*, those of one owner, whose share has room; None for none."""
        while heads:
            _, _, number, share = heappop(heads)
            line = self._lines.get(share)
            # Since this head was pushed another source may have come to stand before it, with a head of its own.
            if not line or line[0].number != number:
                continue
            if not share.has_room:
                self._full.add(share)
                continue
            source = heappop(line).source
            self._offer(share)
            return source
        return None

    def _offer(self, share: Share) -> None:
        """Let the first of the line of *share* be popped, or forget the line where nobody waits in it."""
        line = self._lines[share]
        if line:
            first = line[0]
            heads = self._heads.setdefault(share.owner, [])
            heappush(heads, _Head(first.due, next(self._numbers), first.number, share))
        else:
            del self._lines[share]
