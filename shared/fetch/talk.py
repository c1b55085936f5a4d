"""The time that a source takes, without the time that the hub makes it wait."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from shared.clock import Clock


class TalkTime:
    """The seconds of one source, summed over its redirects: look-up of the name, connecting, request and answer.

    It is paused while the hub itself makes the source wait: for a place at the origin or in the lanes, and for a thread
    that looks names up. Parsing the document is no part of it either.
    """

    def __init__(self, clock: Clock, owner: str = "") -> None:
        """Start at 0 s, for a source that *owner* registered or tries out; its connections count as *owner*'s."""
        self.owner = owner
        self._clock = clock
        self._seconds = 0.0
        self._since: float | None = None
        self._deadline = asyncio.timeout(None)

    @property
    def seconds(self) -> float:
        """The sum up to now."""
        return self._seconds + (0.0 if self._since is None else self._clock.monotonic() - self._since)

    @property
    def milliseconds(self) -> int:
        """``seconds`` as whole milliseconds."""
        return round(self.seconds * 1000)

    @contextlib.asynccontextmanager
    async def running(self, most: float) -> AsyncIterator[None]:
        """Count the time inside; raise TimeoutError once the sum, earlier uses included, exceeds *most* seconds."""
        async with asyncio.timeout(most - self.seconds) as self._deadline:
            self._since = self._clock.monotonic()
            try:
                yield
            finally:
                self._stop()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the sum, and the deadline of ``running``, while the hub waits for itself."""
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
