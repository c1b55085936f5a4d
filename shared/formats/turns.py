"""A lock that owners take by turns: however many wait for one owner, another one waits for one of them at most.

An asyncio.Lock serves in the order of arrival: one token with a thousand documents would come before all others.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Turns:
    """One holder at a time; of those who wait, one of each owner after the other. It runs in one event loop."""

    def __init__(self) -> None:
        self._busy = False
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}

    @contextlib.asynccontextmanager
    async def turn(self, owner: str) -> AsyncIterator[None]:
        """Wait for a turn of *owner*, and have it; whoever is cancelled meanwhile leaves it to the next."""
        if self._busy:
            await self._wait(owner)
        self._busy = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, owner: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._lines.setdefault(owner, deque()).append(turn)
        try:
            await turn
        except BaseException:
            if not turn.cancelled():
                # The turn was given before the cancellation came.
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the turn to the first of the owner that had none for longest; it is not free in between."""
        # Free only within this call, which awaits nothing: nobody can slip in before the one whose turn it is.
        self._busy = False
        while self._lines and not self._busy:
            owner = next(iter(self._lines))
            line = self._lines.pop(owner)
            turn = line.popleft()
            if line:
                self._lines[owner] = line
            if not turn.done():
                turn.set_result(None)
                self._busy = True
