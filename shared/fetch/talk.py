"""How long a source is talked to, apart from how long the hub makes it wait."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from shared.clock import Clock


class TalkTime:
    """The time of one source, summed over its redirects: looking the name up, connecting, asking and being answered.

    It stands still while the hub itself makes the source wait: for a place at the origin or in the lanes, and for a
    thread that looks names up. Reading the document is no part of it either.
    """

    def __init__(self, clock: Clock, owner: str = "") -> None:
        """Count for a source that *owner* registered, or tries out: whose connections to an origin it takes."""
        self.owner = owner
        self._clock = clock
        self._seconds = 0.0
        self._since: float | None = None
        self._deadline = asyncio.timeout(None)

    @property
    def seconds(self) -> float:
        """How long the source was talked to up to now."""
        return self._seconds + (0.0 if self._since is None else self._clock.monotonic() - self._since)

    @property
    def milliseconds(self) -> int:
        """The same as whole milliseconds."""
        return round(self.seconds * 1000)

    @contextlib.asynccontextmanager
    async def running(self, most: float) -> AsyncIterator[None]:
        """Count what happens inside; raise TimeoutError when more than *most* seconds have run in all."""
        async with asyncio.timeout(most - self.seconds) as self._deadline:
            self._since = self._clock.monotonic()
            try:
                yield
            finally:
                self._stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time stand still while the hub waits for itself, and the deadline with it."""
        now = asyncio.get_running_loop().time
        deadline = self._deadline.when()
        left = None if deadline is None else deadline - now()
        self._stop()
        if left is not None:
            self._deadline.reschedule(None)
        yield
        self._since = self._clock.monotonic()
        if left is not None:
            self._deadline.reschedule(now() + left)

    def _stop(self) -> None:
        self._seconds, self._since = self.seconds, None
