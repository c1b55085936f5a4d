"""Names to addresses, in threads of its own: a name that hangs keeps neither others waiting nor the process alive."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from shared.problems import SourceUnreachable

if TYPE_CHECKING:
    from shared.fetch.talk import TalkTime

MAX_THREADS = 256

Addresses = list[IPv4Address | IPv6Address]


class Resolver:
    """Asks the system's resolver. Whoever wants a name that is being looked up shares that look-up."""

    def __init__(self, seconds: float = 3.0) -> None:
        """Give each look-up so many *seconds*."""
        self._seconds = seconds
        self._threads = asyncio.Semaphore(MAX_THREADS)
        self._under_way: dict[str, asyncio.Task[asyncio.Future[Addresses | Exception]]] = {}

    async def addresses(self, name: str, talk: TalkTime | None = None) -> Addresses:
        """Return the addresses of *name*, each once, or raise SourceUnreachable when there are none in time.

        The time counts from when a thread looks the name up; *talk* stands still before.
        """
        if name not in self._under_way:
            self._under_way[name] = asyncio.create_task(self._begin(name))
        with talk.paused() if talk else contextlib.nullcontext():
            begun = await asyncio.shield(self._under_way[name])
        try:
            async with asyncio.timeout(self._seconds):
                answer = await asyncio.shield(begun)
        except TimeoutError as fault:
            raise SourceUnreachable(f"The host's name did not resolve within {self._seconds:g} s.") from fault
        if isinstance(answer, Exception):
            raise SourceUnreachable("The host's name does not resolve.") from answer
        return answer

    async def _begin(self, name: str) -> asyncio.Future[Addresses | Exception]:
        """Wait for a thread and have it look *name* up; return its answer to come.

        The system's look-up can't be stopped: its thread is given back when it ends, not when nobody waits.
        """
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        try:
            await self._threads.acquire()
            try:
                threading.Thread(target=self._work, args=(name, loop, answer), daemon=True, name="resolver").start()
            except RuntimeError:
                self._threads.release()
                raise
        except BaseException:
            del self._under_way[name]
            raise
        return answer

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
        del self._under_way[name]
        answer.set_result(found)


def _look_up(name: str) -> Addresses:
    answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    # An address with a zone (fe80::1%eth0) is link-local; without the zone it is refused as such.
    return [ip_address(text) for text in dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers)]
