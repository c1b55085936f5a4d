"""The search for capabilities by words and facts; its index follows the federated index, outside the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cachetools import LRUCache

from shared.problems import SearchTimeout
from shared.search.facts import KINDS, LETTERS
from shared.search.index import Index
from shared.search.query import Hit, Position, SearchRequest, SearchResult
from shared.shortage import cause, log_failure
from shared.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.clock import Clock
    from shared.federation import Edition, Federation
    from shared.model.capability import Capability
    from shared.model.compose import Part
    from shared.search.index import More
    from shared.signals import EditionNotice

    Render = Callable[[SearchResult], bytes]

__all__ = [
    "KINDS", "LETTERS", "Hit", "Position", "Search", "SearchAnswer", "SearchPace", "SearchRequest", "SearchResult",
]  # fmt: skip

_OVERHEAD = 1000
_log = logging.getLogger("hub.search")


def nothing(_part: Part, _capability: Capability) -> tuple[tuple[str, str], ...]:
    """Add no facts."""
    return ()


@dataclass(frozen=True)
class SearchPace:
    """How long searches, writes and the index wait for one another, in seconds, and the bytes of answers kept."""

    seconds: float = 2.0
    """How long a search may take, waiting for its turn included."""

    wait: float = 5.0
    """How long a search waits before that for an index that shows what was written before it."""

    slow: float = 1.0
    """Where making a new index takes longer than this the write waits for it, else the searches after the write do."""

    wait_of_writes: float = 60.0
    """How long a write waits for a new index."""

    rest: float = 5.0
    """While checks go on, an index is not followed further for so many times what it took last: a sixth of the time."""

    again: float = 1.0
    """How long after a failure the index is made again."""

    kept_bytes: int = 8 << 20
    """How much the answers that are kept may take, with what they were made by. Questions are kept as digests."""


DEFAULT_PACE = SearchPace()


class SearchAnswer(NamedTuple):
    """An answer as bytes, the serial and time of the edition that was searched, and the start of the next page."""

    body: bytes
    serial: int
    generated_at: str
    following: Position | None


class _Kept(NamedTuple):
    """An answer with what made it, so that nothing else can have the same name meanwhile, and its *size* in bytes."""

    answer: SearchAnswer
    render: Render
    size: int


class Search:
    """Searches the edition that the federation served a moment ago: each answer tells its serial.

    One thread asks and changes the index in turn, so that no answer mixes two editions. Where much has changed, a new
    index is made beside the old one, which answers meanwhile. What ``promise`` was called for is waited for.
    *trouble* says what keeps it from following, empty where nothing does. *make* makes an index in another thread.
    """

    def __init__(
        self,
        federation: Federation,
        clock: Clock,
        more: More = nothing,
        pace: SearchPace = DEFAULT_PACE,
        make: Callable[[Edition, More], Index] = Index,
    ) -> None:
        self._federation = federation
        self._clock = clock
        self._more = more
        self._pace = pace
        self._make = make
        self._index: Index | None = None
        self._thread = Threads(1, "search")
        self._wake = asyncio.Event()
        self._wake.set()
        self._made = asyncio.Condition()
        self._hurry = asyncio.Event()
        self._promised = 1
        self._making = 0.0
        self._broken = False
        self.trouble = ""
        self._kept: LRUCache[bytes, _Kept] = LRUCache(pace.kept_bytes, lambda entry: entry.size)

    @property
    def version(self) -> tuple[int, str]:
        """The serial and time of the edition that is searched now; (0, "") before there is an index."""
        return _version(self._index) if self._index else (0, "")

    async def answer(self, request: SearchRequest, render: Render) -> SearchAnswer:
        """Return the result of *request* as *render*, called in another thread, encodes it; cached by their ``repr``.

        Raise SearchTimeout when the search, or the wait for a promised edition, takes longer than the pace allows.
        """
        if self.version[0] < self._promised:
            await self._reach(self._promised, self._pace.wait)
        deadline = self._clock.monotonic() + self._pace.seconds
        question = repr((request, render)).encode()
        entry = self._kept.get(_digest(*self.version, question))
        if entry is not None:
            return entry.answer
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._thread, self._find, request, render, deadline)
        size = len(answer.body) + len(repr(render)) + _OVERHEAD
        with contextlib.suppress(ValueError):  # it is larger than the whole cache
            self._kept[_digest(answer.serial, answer.generated_at, question)] = _Kept(answer, render, size)
        return answer

    def _find(self, request: SearchRequest, render: Render, deadline: float) -> SearchAnswer:
        index = self._index
        if index is None or self._clock.monotonic() >= deadline:
            raise SearchTimeout("Too many searches are waiting; try again in a few seconds.")
        result = index.find(request, lambda: self._clock.monotonic() >= deadline)
        return SearchAnswer(render(result), *_version(index), result.following)

    async def promise(self) -> None:
        """Have every search after this call show the edition that is served now, or a later one; for each write.

        This returns at once, and the searches wait, for tens of milliseconds where little has changed. Where a new
        index takes longer than a second, this waits for it, and meanwhile searches are answered by the old one.
        """
        served = self._federation.document.serial
        if self.version[0] < served:
            self._hurry.set()
            if self._making > self._pace.slow:
                with contextlib.suppress(SearchTimeout):
                    await self._reach(served, self._pace.wait_of_writes)
            self._promised = max(self._promised, served)

    async def caught_up(self) -> None:
        """Return once the edition served now, or a later one, is searched; raise SearchTimeout after a while."""
        await self._reach(self._federation.document.serial, self._pace.wait)

    async def _reach(self, serial: int, seconds: float) -> None:
        """Wait until the edition of *serial*, or a later one, is searched; raise SearchTimeout after *seconds*."""
        try:
            async with asyncio.timeout(seconds), self._made:
                await self._made.wait_for(lambda: self.version[0] >= serial)
        except TimeoutError as fault:
            raise SearchTimeout("The search index is still being made; try again in a few seconds.") from fault

    def on_edition(self, _notice: EditionNotice) -> None:
        """Have ``follow`` take up the edition that is served by then: it may pass over this one."""
        self._wake.set()
        if self._federation.idle:
            self._hurry.set()

    async def follow(self) -> None:
        """Follow the federated index; never returns.

        Before it takes up another edition it rests, so that a hub with many checks keeps most of its time for them, and
        an index of all that changed is rarely made for an edition that the next one replaces: not when a write promised
        an edition, nor when the checks have ended. What fails is logged, named by *trouble* and tried again.
        """
        rest = 0.0
        while True:
            await self._wake.wait()
            await self._rest(rest)
            self._wake.clear()
            # Calls that set it before now meant the edition that is taken here.
            self._hurry.clear()
            started = self._clock.monotonic()
            try:
                await self._catch_up(self._federation.edition)
                async with self._made:
                    self._made.notify_all()
                self.trouble = ""
            except Exception as fault:  # noqa: BLE001 - a refused thread or allocation may pass; it is tried again
                self.trouble = f"the search index could not be made ({cause(fault)}); it is tried again"
                log_failure(_log, "making the search index failed, and is tried again", fault)
                self._wake.set()
                await asyncio.sleep(self._pace.again)
                continue
            rest = (self._clock.monotonic() - started) * self._pace.rest

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    async def _catch_up(self, edition: Edition) -> None:
        old, loop = self._index, asyncio.get_running_loop()
        if old is not None and not self._broken:
            # An index that failed half way is followed no further: a new one takes its place.
            self._broken = True
            followed = await loop.run_in_executor(self._thread, old.follow, edition)
            self._broken = False
            if followed:
                return
        started = self._clock.monotonic()
        self._index = await asyncio.to_thread(self._make, edition, self._more)
        self._broken, self._making = False, self._clock.monotonic() - started
        if old is not None:
            # After the answers that are being made with it.
            self._thread.submit(old.close)

    async def close(self) -> None:
        """Wait for the search in progress, cancel those that queue, and free the memory of the index."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._index is not None:
            self._index.close()


def _version(index: Index) -> tuple[int, str]:
    return index.edition.document.serial, index.edition.document.generated_at


def _digest(serial: int, generated_at: str, question: bytes) -> bytes:
    """Return a key of fixed length for *question*, whose length clients choose."""
    return hashlib.sha256(b"%d %s %s" % (serial, generated_at.encode(), question)).digest()
