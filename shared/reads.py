"""Reads that take processor time: they have threads and a queue of their own, so that nothing else waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from shared.problems import Overloaded
from shared.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

T = TypeVar("T")

THREADS = 2
MOST = 100
"""Reads that are computed or queue for it; at some ten milliseconds each the last of them waits for a second."""


class Reads:
    """Computes answers in two threads of its own, which no write, check or composition uses."""

    def __init__(self) -> None:
        self._threads = Threads(THREADS, "reads")
        self._under_way = 0
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Return the result of *call* with *args*, in a thread; raise Overloaded while MOST are under way."""
        if self._under_way >= MOST:
            text = f"This hub is computing {MOST} answers already. Send the request again in a second."
            raise Overloaded(text, headers={"Retry-After": "1"})
        return await self._run(call, *args)

    async def _run(self, call: Callable[..., T], *args: object) -> T:
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        finally:
            self._under_way -= 1

    async def once(self, key: Hashable, call: Callable[..., T], *args: object) -> T:
        """Return the result as ``run`` does; concurrent calls with the same *key* share one computation."""
        return await self.join(key, lambda: self.run(call, *args))

    async def always(self, key: Hashable, call: Callable[..., T], *args: object) -> T:
        """Return the result as ``once`` does, but never raise Overloaded: for results that all readers share."""
        return await self.join(key, lambda: self._run(call, *args))

    async def join(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of the coroutine that *begin* makes; concurrent calls with the same *key* share it.

        It goes on though a caller is cancelled.
        """
        flight: asyncio.Task[T] | None = self._flights.get(key)
        if flight is None or flight.done():
            flight = self._flights[key] = asyncio.create_task(begin())
            flight.add_done_callback(lambda ended: self._end(key, ended))
        return await asyncio.shield(flight)

    def _end(self, key: Hashable, flight: asyncio.Task[Any]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            # Retrieved, because asyncio logs an exception that nobody retrieved, and all callers may be gone.
            flight.exception()

    async def close(self) -> None:
        """Wait for the reads that are being computed, and drop those that queue."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
