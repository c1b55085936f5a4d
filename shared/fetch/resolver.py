"""Names to addresses, in threads of its own: a name that hangs keeps neither others waiting nor the process alive.

The system's look-up can't be stopped: its thread is given back when it ends, which may be long after everybody gave it
up. So names wait in three lines: those that answered lately go first, those that hung before go last, and each line
leaves threads to the lines before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import islice
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from shared.clock import Clock
from shared.problems import SourceUnreachable
from shared.shortage import shortage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.fetch.talk import TalkTime

ANSWERED, UNKNOWN, HUNG = 0, 1, 2
"""The lines: names that answered lately, names of which nothing is known, and names that hung when last asked."""

THREADS = 256, 192, 96
"""A look-up of each line begins while fewer threads than these are busy, whoever they work for."""

AGAIN_SECONDS = 30.0
"""For so long a name that hung is not asked again; a source that failed is not checked sooner by the schedule."""

MOST_ADDRESSES = 64
"""Of a name's addresses so many are looked at: an answer may hold thousands, and few are ever connected to."""

_REMEMBERED = 4096
_PAUSE_SECONDS = 0.1
Addresses = list[IPv4Address | IPv6Address]


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class _LookUp:
    """One look-up, for all who want its name: *begun* when it has a thread, with addresses or a fault as *answer*.

    *waiting* counts those who want it; *late* tells that its time was over before it had an answer, *busy* that a
    thread is counted for it.
    """

    name: str
    line: int
    waiting: int = 0
    late: bool = False
    busy: bool = False
    begun: asyncio.Future[None] = field(default_factory=_future)
    answer: asyncio.Future[Addresses | Exception] = field(default_factory=_future)


class Resolver:
    """Asks the system's resolver. Whoever wants a name that is being looked up shares that look-up."""

    def __init__(self, seconds: float = 3.0, clock: Clock | None = None) -> None:
        """Give each look-up so many *seconds*."""
        self._seconds = seconds
        self._clock = clock or Clock()
        self._lines: tuple[deque[_LookUp], ...] = tuple(deque() for _ in THREADS)
        self._busy = 0
        self._under_way: dict[str, _LookUp] = {}
        self._answered: LRUCache[str, None] = LRUCache(_REMEMBERED)
        self._hung: LRUCache[str, float] = LRUCache(_REMEMBERED)

    async def addresses(self, name: str, talk: TalkTime | None = None) -> Addresses:
        """Return the first 64 addresses of *name*, each once, or raise SourceUnreachable when there are none in time.

        The time counts from when a thread looks the name up; *talk* stands still before. Raise Overloaded when no
        thread can be had, or when the machine has no file or memory left for a look-up.
        """
        with self._wanted(name) as look_up:
            with talk.paused() if talk else contextlib.nullcontext():
                await asyncio.shield(look_up.begun)
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await asyncio.shield(look_up.answer)
            except TimeoutError as fault:
                self._note_hang(look_up)
                raise SourceUnreachable(f"The host's name did not resolve within {self._seconds:g} s.") from fault
        if isinstance(answer, Exception):
            raise shortage(answer) or SourceUnreachable("The host's name does not resolve.") from answer
        return answer

    @contextlib.contextmanager
    def _wanted(self, name: str) -> Iterator[_LookUp]:
        """Yield the look-up of *name* that is under way, or a new one; withdraw it when nobody waits for its thread."""
        look_up = self._under_way.get(name) or self._new(name)
        look_up.waiting += 1
        try:
            self._begin_next()
            yield look_up
        finally:
            look_up.waiting -= 1
            if not look_up.waiting and not look_up.begun.done():
                self._lines[look_up.line].remove(look_up)
                self._under_way.pop(name, None)

    def _new(self, name: str) -> _LookUp:
        wait = self._hung.get(name, -math.inf) - self._clock.monotonic()
        if wait > 0:
            says = f"The host's name did not resolve within {self._seconds:g} s when it was last looked up."
            raise SourceUnreachable(f"{says} The hub looks it up again in {math.ceil(wait)} s at the earliest.")
        line = ANSWERED if name in self._answered else HUNG if name in self._hung else UNKNOWN
        look_up = _LookUp(name, line)
        # In this order: a name that is under way and in no line would never be looked up.
        self._lines[line].append(look_up)
        self._under_way[name] = look_up
        return look_up

    def _note_hang(self, look_up: _LookUp) -> None:
        """Have its name looked up again only after a while; once, that is excused where it answered lately."""
        if look_up.late:
            return
        look_up.late = True
        if look_up.name in self._answered:
            del self._answered[look_up.name]
        else:
            self._hung[look_up.name] = self._clock.monotonic() + AGAIN_SECONDS

    def _begin_next(self) -> None:
        for line, most in zip(self._lines, THREADS, strict=True):
            while line and self._busy < most and self._begin(line[0]):
                line.popleft()

    def _begin(self, look_up: _LookUp) -> bool:
        """Give *look_up* a thread, or the fault where none can be had; return False where one may be free later."""
        about = look_up, asyncio.get_running_loop()
        try:
            threading.Thread(target=self._work, args=about, daemon=True, name="resolver").start()
        except (RuntimeError, MemoryError) as fault:
            if self._busy:
                return False
            self._under_way.pop(look_up.name, None)
            look_up.begun.set_exception(shortage(fault, "threads"))
        else:
            self._busy += 1
            look_up.busy = True
            look_up.begun.set_result(None)
        return True

    def _work(self, look_up: _LookUp, loop: asyncio.AbstractEventLoop) -> None:
        """Look a name up; runs in a thread that nobody joins."""
        answer: Addresses | Exception
        try:
            answer = _look_up(look_up.name)
        except Exception as fault:  # noqa: BLE001 - whoever waits must be told, whatever it was
            answer = fault
        while True:
            try:
                loop.call_soon_threadsafe(self._finish, look_up, answer)
            except RuntimeError:  # the hub has ended meanwhile
                return
            except MemoryError:
                # Without its answer the name would be under way, and this thread counted, for ever.
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _finish(self, look_up: _LookUp, answer: Addresses | Exception) -> None:
        """Give all who wait the *answer*, and the thread to the next; first what must not fail for want of memory.

        It may come from a thread that was taken for refused, because memory ran out when it had begun.
        """
        self._busy -= look_up.busy
        look_up.busy = False
        if self._under_way.get(look_up.name) is look_up:
            del self._under_way[look_up.name]
        if look_up in self._lines[look_up.line]:
            self._lines[look_up.line].remove(look_up)
        try:
            self._settle(look_up, answer)
        finally:
            self._begin_next()

    def _settle(self, look_up: _LookUp, answer: Addresses | Exception) -> None:
        if not look_up.answer.done():
            look_up.answer.set_result(answer)
        if not look_up.begun.done():
            look_up.begun.set_result(None)
        if not isinstance(answer, Exception):
            self._answered[look_up.name] = None
            self._hung.pop(look_up.name, None)


def _look_up(name: str) -> Addresses:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except socket.gaierror as fault:
        if fault.errno == socket.EAI_MEMORY:
            raise MemoryError from fault
        # The system tells a hub without free files that the name does not resolve just now; a socket tells the cause.
        socket.socket(type=socket.SOCK_DGRAM).close()
        raise
    # An address with a zone (fe80::1%eth0) is link-local; without the zone it is refused as such.
    texts = dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers)
    return [ip_address(text) for text in islice(texts, MOST_ADDRESSES)]
