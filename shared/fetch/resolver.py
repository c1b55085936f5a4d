"""Resolves names in threads of its own: a look-up that hangs delays no other one, and not the end of the process.

A look-up of the system can't be stopped: its thread is free when it ends, long after its time was over. So names wait
in three lines: those that answered lately go first, those that hung before go last, and each line leaves some threads
to the lines before it.
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
"""The lines: names that answered lately, names without a result so far, and names that hung at their last look-up."""

THREADS = 256, 192, 96
"""A look-up of each line begins while fewer threads than these are busy, with look-ups of any line."""

AGAIN_SECONDS = 30.0
"""Seconds in which a name that hung is not looked up again; the schedule checks no failed source sooner."""

MOST_ADDRESSES = 64
"""Addresses of one name that are read: an answer may have thousands, and at most four are connected to."""

_REMEMBERED = 4096
_PAUSE_SECONDS = 0.1
Addresses = list[IPv4Address | IPv6Address]


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class _LookUp:
    """One look-up, shared by all tasks that wait for its name, *waiting* in number.

    *begun* is done when it has a thread, *answer* has its addresses or an exception. *timed_out* tells that its seconds
    were over before it had an answer, *busy* that a thread is counted for it.
    """

    name: str
    line: int
    waiting: int = 0
    timed_out: bool = False
    busy: bool = False
    begun: asyncio.Future[None] = field(default_factory=_future)
    answer: asyncio.Future[Addresses | Exception] = field(default_factory=_future)


class Resolver:
    """Asks the system's resolver; tasks that want the same name share one look-up."""

    def __init__(
        self, seconds: float = 3.0, clock: Clock | None = None, threads: tuple[int, int, int] = THREADS
    ) -> None:
        """Wait *seconds* for each look-up, from when it has a thread; those of each line begin below its *threads*."""
        self._threads = threads
        self._seconds = seconds
        self._clock = clock or Clock()
        self._lines: tuple[deque[_LookUp], ...] = tuple(deque() for _ in threads)
        self._busy = 0
        self._under_way: dict[str, _LookUp] = {}
        self._answered: LRUCache[str, None] = LRUCache(_REMEMBERED)
        self._hung: LRUCache[str, float] = LRUCache(_REMEMBERED)

    async def addresses(self, name: str, talk: TalkTime | None = None) -> Addresses:
        """Return the first 64 addresses of *name*, each once.

        Raise SourceUnreachable when there are none in time; the time counts from when a thread looks the name up, and
        *talk* is paused before. Raise Overloaded when no thread can be started, or when the machine has no file or
        memory left for a look-up.
        """
        with self._shared(name) as look_up:
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
    def _shared(self, name: str) -> Iterator[_LookUp]:
        """Yield the present look-up of *name*, or a new one; at the end remove one that no task waits for, unbegun."""
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
            text = f"The host's name did not resolve within {self._seconds:g} s when it was last looked up."
            raise SourceUnreachable(f"{text} The hub looks it up again in {math.ceil(wait)} s at the earliest.")
        line = ANSWERED if name in self._answered else HUNG if name in self._hung else UNKNOWN
        look_up = _LookUp(name, line)
        # In this order: where memory ends between the two, a name under way but in no line would never be looked up.
        self._lines[line].append(look_up)
        self._under_way[name] = look_up
        return look_up

    def _note_hang(self, look_up: _LookUp) -> None:
        """Block look-ups of its name for AGAIN_SECONDS; a name that answered lately is excused once."""
        if look_up.timed_out:
            return
        look_up.timed_out = True
        if look_up.name in self._answered:
            del self._answered[look_up.name]
        else:
            self._hung[look_up.name] = self._clock.monotonic() + AGAIN_SECONDS

    def _begin_next(self) -> None:
        for line, most in zip(self._lines, self._threads, strict=True):
            while line and self._busy < most and self._begin(line[0]):
                line.popleft()

    def _begin(self, look_up: _LookUp) -> bool:
        """Start a thread for *look_up*; return False where it can't be started now, but one may be free later.

        Where no thread is busy either, none will be free: *look_up* then fails with Overloaded.
        """
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
        """Look a name up, and hand the answer to *loop*; runs in a daemon thread that is never joined."""
        answer: Addresses | Exception
        try:
            answer = _look_up(look_up.name)
        except Exception as fault:  # noqa: BLE001 - tasks that wait would wait for ever
            answer = fault
        while True:
            try:
                loop.call_soon_threadsafe(self._finish, look_up, answer)
            except RuntimeError:  # the loop is closed: the hub has ended
                return
            except MemoryError:
                # Without an answer the name would stay under way, and this thread be counted, for ever.
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _finish(self, look_up: _LookUp, answer: Addresses | Exception) -> None:
        """Settle *look_up* with *answer* for all that wait, and begin the next; the steps that need no memory go first.

        The thread may be one whose start raised MemoryError though it runs, so the look-up may still be in its line.
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
        # Without a free file the system says "temporary failure"; opening a socket then raises the true cause.
        socket.socket(type=socket.SOCK_DGRAM).close()
        raise
    # An address with a zone (fe80::1%eth0) is link-local; without the zone it is refused as such.
    texts = dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers)
    return [ip_address(text) for text in islice(texts, MOST_ADDRESSES)]
