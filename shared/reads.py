"""Reads that take time: they have threads and a queue of their own, so that nothing else waits behind them."""

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
"""So many reads are computed or wait for that; at some ten milliseconds each the last of them waits for a second."""


class Reads:
    """Computes answers beside the event loop, in two threads that no write, check or composition waits for."""

    def __init__(self) -> None:
        self._threads = Threads(THREADS, "reads")
        self._under_way = 0
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Return what *call*, in a thread, makes of *args*; raise Overloaded where MOST reads are under way."""
        if self._under_way >= MOST:
            says = f"{MOST} answers that take computing are under way. Send the request again in a second."
            raise Overloaded(says, headers={"Retry-After": "1"})
        return await self._run(call, *args)

    async def _run(self, call: Callable[..., T], *args: object) -> T:
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)
        finally:
            self._under_way -= 1

    async def once(self, key: Hashable, call: Callable[..., T], *args: object) -> T:
        """Return what ``run`` does; those who ask under the same *key* while it runs wait for the one result."""
        return await self.join(key, lambda: self.run(call, *args))

    async def always(self, key: Hashable, call: Callable[..., T], *args: object) -> T:
        """Return what ``once`` does, however many are under way: for what all readers share, and few keys name."""
        return await self.join(key, lambda: self._run(call, *args))

    async def join(self, key: Hashable, begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the coroutine of *begin* does; those who ask under the same *key* meanwhile wait for that one."""
        flight: asyncio.Task[T] | None = self._flights.get(key)
        if flight is None or flight.done():
            flight = self._flights[key] = asyncio.create_task(begin())
            flight.add_done_callback(lambda ended: self._end(key, ended))
        return await asyncio.shield(flight)

    def _end(self, key: Hashable, flight: asyncio.Task[Any]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            # Looked at, because everybody who waited for it may be gone.
            flight.exception()

    async def close(self) -> None:
        """Wait for what is computed now, and drop what waits."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
