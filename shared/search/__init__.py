"""Finding capabilities by words and facts. The index is made off the event loop and follows the federated index."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from cachetools import LRUCache

from shared.problems import SearchTimeout
from shared.search.asked import Found, Hit, Position, Wanted
from shared.search.facts import KINDS, LETTERS
from shared.search.index import Index

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.clock import Clock
    from shared.compose import Part
    from shared.federation import Edition, Federation
    from shared.search.index import More

    Render = Callable[[Found], bytes]

__all__ = ["KINDS", "LETTERS", "Answer", "Found", "Hit", "Position", "Search", "Wanted"]

SECONDS = 2.0
"""How long a search may take, waiting for its turn included."""

KEPT_BYTES = 8 << 20
_OVERHEAD = 1000
_REST = 2.0


def nothing(_part: Part, _entry: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Add no facts."""
    return ()


class Answer(NamedTuple):
    """An answer as bytes, the version of the federated index that it is about, and where the next page starts."""

    body: bytes
    serial: int
    generated_at: str
    following: Position | None


class Search:
    """Searches the edition that the federation served a moment ago: each answer tells its serial.

    One thread asks and changes the index in turn, so that no answer mixes two editions. Where much has changed, a new
    index is made beside the old one, which answers meanwhile.
    """

    def __init__(self, federation: Federation, clock: Clock, more: More = nothing) -> None:
        self._federation = federation
        self._clock = clock
        self._more = more
        self._index: Index | None = None
        self._thread = ThreadPoolExecutor(1, "search")
        self._moved = asyncio.Event()
        self._moved.set()
        self._made = asyncio.Condition()
        self._kept: LRUCache[object, Answer] = LRUCache(KEPT_BYTES, lambda answer: len(answer.body) + _OVERHEAD)
        federation.on_change.append(self._moved.set)

    @property
    def version(self) -> tuple[int, str]:
        """The serial and time of the edition that is searched now; of none, before there is an index."""
        return _version(self._index) if self._index else (0, "")

    async def answer(self, wanted: Wanted, render: Render) -> Answer:
        """Return what *render*, called in another thread, makes of what is found.

        Raise SearchTimeout when that takes too long.
        """
        deadline = self._clock.monotonic() + SECONDS
        if self._index is None:
            await self.caught_up()
        known = self._kept.get((*self.version, wanted, render))
        if known is not None:
            return known
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._thread, self._find, wanted, render, deadline)
        with contextlib.suppress(ValueError):  # larger than all the room
            self._kept[answer.serial, answer.generated_at, wanted, render] = answer
        return answer

    def _find(self, wanted: Wanted, render: Render, deadline: float) -> Answer:
        index = self._index
        if index is None or self._clock.monotonic() >= deadline:
            raise SearchTimeout("Too many searches are waiting; try again in a few seconds.")
        found = index.find(wanted, lambda: self._clock.monotonic() >= deadline)
        return Answer(render(found), *_version(index), found.following)

    async def caught_up(self) -> None:
        """Return once the edition served now, or a later one, is searched; raise SearchTimeout after a while."""
        served = self._federation.document.serial
        try:
            async with asyncio.timeout(SECONDS), self._made:
                await self._made.wait_for(lambda: self.version[0] >= served)
        except TimeoutError as late:
            raise SearchTimeout("The search index is still being made; try again in a few seconds.") from late

    async def follow(self) -> None:
        """Follow the federated index, resting in between so that a busy hub keeps most of its time; never returns."""
        while True:
            await self._moved.wait()
            self._moved.clear()
            started = self._clock.monotonic()
            await self._catch_up(self._federation.edition)
            async with self._made:
                self._made.notify_all()
            await asyncio.sleep((self._clock.monotonic() - started) * _REST)

    async def _catch_up(self, edition: Edition) -> None:
        old, loop = self._index, asyncio.get_running_loop()
        if old is not None and await loop.run_in_executor(self._thread, old.follow, edition):
            return
        self._index = await asyncio.to_thread(Index, edition, self._more)
        if old is not None:
            # After the answers that are being made with it.
            self._thread.submit(old.close)

    async def close(self) -> None:
        """End what is under way and give the memory back."""
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)
        if self._index is not None:
            self._index.close()


def _version(index: Index) -> tuple[int, str]:
    return index.edition.document.serial, index.edition.document.generated_at
