"""Documents that were fetched and wait to be read: a bound on their bytes, in all and for each owner of sources.

Fetching is much faster than reading, so without it what waits would be as large as all sources together.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque

from shared.fetch import MAX_BYTES

MOST_UNREAD = 64 * 1024 * 1024
"""Bytes of all owners together; one owner may have half of them. Twelve documents of the largest size."""


class UnreadDocuments:
    """Counts the bytes of documents while they wait and are read. For one event loop, not for threads.

    *largest* is the room in bytes that is taken for a document of unknown size.
    """

    def __init__(self, most: int = MOST_UNREAD) -> None:
        self.largest = min(MAX_BYTES, most // 2)
        self._most = most
        self._bytes: Counter[str] = Counter()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    def take(self, owner: str, size: int) -> bool:
        """Take *size* bytes for *owner* and return True; where there is no room, take none and return False.

        Nor is there room where somebody waits who would have to wait longer for it: small documents that keep coming
        hold up nobody who waits for the room of a large one.
        """
        full = self._bytes.total() + size > self._most or self._bytes[owner] + size > self._most // 2
        if full or owner in self._lines or self._next_owner() is not None:
            return False
        self._bytes[owner] += size
        return True

    async def wait(self, owner: str) -> None:
        """Wait, behind others of *owner*, until *largest* bytes are taken.

        The caller holds no document meanwhile, or the bound on memory would not hold.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(owner, deque()).append(turn)
        self._admit()
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._withdraw(owner, turn)
            else:
                # The bytes were given before the cancellation came.
                self.give_back(owner, self.largest)
            raise

    def give_back(self, owner: str, size: int) -> None:
        """Give *size* bytes of *owner* back."""
        self._bytes[owner] -= size
        # ``+=`` drops what is not positive (collections.Counter), so no owner stays without bytes.
        self._bytes += Counter()
        self._admit()

    def _next_owner(self) -> str | None:
        """Return the first owner who waits and may have *largest* bytes more of its own half, or None."""
        most = self._most // 2 - self.largest
        return next((owner for owner in self._lines if self._bytes[owner] <= most), None)

    def _admit(self) -> None:
        """Wake those that have room now, one of each owner after the other."""
        while self._bytes.total() + self.largest <= self._most and (owner := self._next_owner()) is not None:
            # Taken out and put back at the end: dictionaries keep their order, so the owners take turns.
            line = self._lines.pop(owner)
            turn = line.popleft()
            if line:
                self._lines[owner] = line
            # A future that was cancelled is still in its line until ``_withdraw`` runs; it takes nothing.
            if not turn.done():
                self._bytes[owner] += self.largest
                turn.set_result(None)

    def _withdraw(self, owner: str, turn: asyncio.Future[None]) -> None:
        """Take *turn* out of the line of *owner*, and wake those who waited only because it was there."""
        line = self._lines.get(owner, deque())
        if turn in line:
            line.remove(turn)
            if not line:
                del self._lines[owner]
            self._admit()
