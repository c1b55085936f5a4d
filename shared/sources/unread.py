"""Documents that were fetched and wait to be read: a bound on their bytes, in all and for each owner of sources.

Fetching is much faster than reading, so without it what waits would be as large as all sources together.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import NamedTuple

MOST_UNREAD = 64 * 1024 * 1024
"""Bytes of all owners together; one owner may have half of them. Twelve documents of the largest size."""


class _Waiting(NamedTuple):
    """Somebody who waits for the *turn* to have *size* bytes."""

    size: int
    turn: asyncio.Future[None]


class Unread:
    """Bytes that are taken by documents while they wait and are read. All of it runs in one event loop."""

    def __init__(self, most: int = MOST_UNREAD) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()
        self._lines: dict[str, deque[_Waiting]] = {}

    def take(self, owner: str, size: int) -> bool:
        """Take *size* bytes for *owner* and return True; where there is no room, take none and return False."""
        if self._taken.total() + size > self._most or self._taken[owner] + size > self._most // 2:
            return False
        self._taken[owner] += size
        return True

    async def wait(self, owner: str, size: int) -> None:
        """Wait, behind others of *owner*, until *size* bytes are taken; a document has to be smaller than half of all.

        Whoever waits should hold no document meanwhile.
        """
        waiting = _Waiting(size, asyncio.get_running_loop().create_future())
        line = self._lines.setdefault(owner, deque())
        line.append(waiting)
        self._admit()
        try:
            await waiting.turn
        except BaseException:
            if waiting.turn.done() and not waiting.turn.cancelled():
                self.give_back(owner, size)
            raise

    def give_back(self, owner: str, size: int) -> None:
        """Give *size* bytes of *owner* back."""
        self._taken[owner] -= size
        self._taken += Counter()  # keeps no owner without bytes
        self._admit()

    def _admit(self) -> None:
        """Give their turn to those that have room now: of each owner the first ones."""
        for owner, line in list(self._lines.items()):
            # One that was cancelled while it waited takes nothing.
            while line and (line[0].turn.done() or self.take(owner, line[0].size)):
                turn = line.popleft().turn
                if not turn.done():
                    turn.set_result(None)
            if not line:
                del self._lines[owner]
