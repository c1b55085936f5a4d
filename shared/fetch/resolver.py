"""Names to addresses, in threads of its own: a name that hangs keeps neither others waiting nor the process alive."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address

from shared.problems import SourceUnreachable

MAX_THREADS = 256

Addresses = list[IPv4Address | IPv6Address]


class Resolver:
    """Asks the system's resolver. Whoever wants a name that is being looked up shares that look-up."""

    def __init__(self, seconds: float = 3.0) -> None:
        """Give each look-up so many *seconds*."""
        self._seconds = seconds
        self._threads = asyncio.Semaphore(MAX_THREADS)
        self._under_way: dict[str, asyncio.Future[Addresses | Exception]] = {}

    async def addresses(self, name: str) -> Addresses:
        """Return the addresses of *name*, each once, or raise SourceUnreachable when there are none in time."""
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._shared(name)
        except TimeoutError as fault:
            raise SourceUnreachable(f"The host's name did not resolve within {self._seconds:g} s.") from fault
        if isinstance(found, Exception):
            raise SourceUnreachable("The host's name does not resolve.") from found
        return found

    async def _shared(self, name: str) -> Addresses | Exception:
        if name not in self._under_way:
            # The system's look-up can't be stopped: its thread is given back when it ends, not when nobody waits.
            await self._threads.acquire()
            loop = asyncio.get_running_loop()
            answer = self._under_way[name] = loop.create_future()
            threading.Thread(target=self._work, args=(name, loop, answer), daemon=True, name="resolver").start()
        return await asyncio.shield(self._under_way[name])

    def _work(
        self, name: str, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Addresses | Exception]
    ) -> None:
        """Look *name* up; runs in a thread that nobody joins."""
        try:
            found: Addresses | Exception = _look_up(name)
        except (OSError, UnicodeError, ValueError) as fault:
            found = fault
        with contextlib.suppress(RuntimeError):  # the hub may have ended meanwhile
            loop.call_soon_threadsafe(self._finish, name, answer, found)

    def _finish(self, name: str, answer: asyncio.Future[Addresses | Exception], found: Addresses | Exception) -> None:
        self._threads.release()
        if self._under_way.get(name) is answer:
            del self._under_way[name]
        answer.set_result(found)


def _look_up(name: str) -> Addresses:
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    # An address with a zone (fe80::1%eth0) is link-local; without the zone it is refused as such.
    return [ip_address(text) for text in dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers)]
