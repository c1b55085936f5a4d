"""Which fetch runs when: a fast lane for fetches that make progress, a slow one for those that hang, which delay none.

An origin is *reliable* when it answered its last request, else a *stranger*. Reliable ones go first, and have places
that no stranger takes. While they are fetched, one stranger starts for every few of them, because a hundred that fail
take as much processor time as a hundred that answer. Within each kind the owner with the fewest fetches in progress is
next. A fetch that receives next to nothing for a while leaves its place in the fast lane when another one waits for it,
and goes on in the slow lane.

A fetch in the slow lane costs a connection, and hardly any memory: when its document comes, it returns to the fast
lane. Only a few that stop in the middle of a document wait in the slow lane with the part that has come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.problems import SourceTimeout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.fetch.talk import TalkTime

PROGRESS = 1024
"""Bytes that must come within the patience of the lane; fewer are no progress."""

LIGHT = 64 * 1024
"""Bytes of a document that any fetch in the slow lane may keep."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How many fetches each lane holds, and the seconds without progress after which a fetch makes way.

    *reserved* places of the fast lane are not for strangers. While reliable origins are fetched, strangers get no more
    than *beside* places, and one of them starts for every *turns* of the others, or at each look. Reliable origins
    count as being fetched until none of them was for *lull* seconds. *heavy* fetches in the slow lane may keep more
    than LIGHT bytes of their documents.
    """

    fast: int = 32
    slow: int = 128
    reserved: int = 8
    beside: int = 2
    patience: float = 2.0
    patience_with_strangers: float = 0.25
    turns: int = 8
    lull: float = 0.1
    heavy: int = 8


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True, eq=False)
class LanePlace:
    """One fetch in the lanes, or waiting for them: *received* counts its bytes since *since*, the loop's time.

    *document_bytes* is the size of the part of its document that it keeps; rescheduling *end* ends it.
    """

    lanes: Lanes
    reliable: bool
    talk: TalkTime | None = None
    turn: asyncio.Future[None] = field(default_factory=_future)
    since: float = 0.0
    received: int = 0
    document_bytes: int = 0
    end: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))

    @property
    def owner(self) -> str:
        """The token that registered the source or tries it out; empty without a talk."""
        return self.talk.owner if self.talk else ""

    async def keep(self, size: int) -> None:
        """Set *document_bytes* to *size*; past LIGHT in the slow lane then wait for a place in the fast one."""
        self.document_bytes = size
        if size > LIGHT and self.lanes.must_return(self):
            with self.talk.paused() if self.talk else contextlib.nullcontext():
                await self.lanes.returned(self)


class Lanes:
    """The two lanes; all methods are called in one event loop."""

    def __init__(self, widths: Widths) -> None:
        self._widths = widths
        self._fast: set[LanePlace] = set()
        self._slow: set[LanePlace] = set()
        self._heavy: dict[LanePlace, None] = {}
        self._waiting: dict[bool, dict[str, deque[LanePlace]]] = {True: {}, False: {}}
        self._under_way: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._turns = 0
        self._reliable_until = 0.0

    @contextlib.asynccontextmanager
    async def place(self, *, reliable: bool, talk: TalkTime | None = None) -> AsyncIterator[LanePlace]:
        """Wait for a place in the fast lane and yield it; *reliable* means that the origin answered its last request.

        Raise SourceTimeout, from inside the context too, where too many fetches stopped in the middle of a document.
        """
        place = LanePlace(self, reliable, talk)
        try:
            async with asyncio.timeout(None) as place.end:
                await self._wait(place)
                yield place
        except TimeoutError as fault:
            if not place.end.expired():
                raise
            raise SourceTimeout(
                "The source stopped sending in the middle of its document, and the hub has no room for more such parts."
            ) from fault
        finally:
            self._leave(place)

    def must_return(self, place: LanePlace) -> bool:
        """Tell whether *place* is in the slow lane, and not one of those that may keep a large part of a document."""
        return place in self._slow and place not in self._heavy

    async def returned(self, place: LanePlace) -> None:
        """Wait until *place*, now in the slow lane, is in the fast one again; it goes before others of its owner."""
        place.turn = _future()
        await self._wait(place, first=True)

    async def _wait(self, place: LanePlace, *, first: bool = False) -> None:
        line = self._waiting[place.reliable].setdefault(place.owner, deque())
        if first:
            line.appendleft(place)
        else:
            line.append(place)
        self._admit()
        self._watch()
        await place.turn

    def _leave(self, place: LanePlace) -> None:
        if place not in self._fast:
            self._withdraw(place)
        if place not in self._fast and place not in self._slow:
            return
        self._fast.discard(place)
        self._slow.discard(place)
        self._heavy.pop(place, None)
        self._under_way[place.owner] -= 1
        if not self._under_way[place.owner]:
            del self._under_way[place.owner]
        if place.reliable:
            self._reliable_until = asyncio.get_running_loop().time() + self._widths.lull
        self._admit()

    def _withdraw(self, place: LanePlace) -> None:
        """Take *place* out of the line that it waits in, if it waits."""
        line = self._waiting[place.reliable].get(place.owner, deque())
        if place in line:
            line.remove(place)
            if not line:
                del self._waiting[place.reliable][place.owner]

    def _admit(self) -> None:
        now = asyncio.get_running_loop().time()
        while (reliable := self._next(now)) is not None:
            owners = self._waiting[reliable]
            place = owners[min(owners, key=self._under_way.__getitem__)][0]
            self._withdraw(place)
            place.since, place.received = now, 0
            self._turns = self._turns + 1 if reliable else 0
            if place in self._slow:
                self._slow.discard(place)
            else:
                self._under_way[place.owner] += 1
            self._fast.add(place)
            # The turn of a fetch that was cancelled while it waited is done; it leaves by itself.
            if not place.turn.done():
                place.turn.set_result(None)

    def _next(self, now: float) -> bool | None:
        """Return True where a reliable origin is next, False for a stranger, None where no waiting fetch has room."""
        strangers = bool(self._waiting[False]) and self._has_room(now, reliable=False)
        # After so many turns of reliable origins a stranger is next, however many of the others wait.
        if self._waiting[True] and not (strangers and self._turns >= max(self._widths.turns, 1)):
            return True if self._has_room(now, reliable=True) else None
        return False if strangers else None

    def _has_room(self, now: float, *, reliable: bool) -> bool:
        room = self._widths.fast - len(self._fast)
        if reliable or room <= 0:
            return room > 0
        strangers = sum(not place.reliable for place in self._fast)
        if strangers == len(self._fast) and now >= self._reliable_until:
            return strangers < self._widths.fast - self._widths.reserved
        return strangers < self._widths.beside and self._turns >= self._widths.turns

    def _watch(self) -> None:
        """Schedule the next look at fetches without progress, for as long as another one waits."""
        if self._timer is None and any(self._waiting.values()):
            pause = self._widths.patience_with_strangers / 4
            self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        waiting = sum(len(line) for lines in self._waiting.values() for line in lines.values())
        # Fetches that keep little go first: they move to the slow lane without another one being ended for it.
        overdue = [place for place in self._fast if now - place.since >= self._patience(place)]
        for place in sorted(overdue, key=lambda place: (place.document_bytes > LIGHT, place.since)):
            if place.received < PROGRESS and len(self._slow) < self._widths.slow:
                if self._would_end_one(place) and waiting <= 0:
                    continue
                self._make_way(place)
                waiting -= 1
            place.since, place.received = now, 0
        self._turns = max(self._widths.turns, 1)
        self._admit()
        self._watch()

    def _would_end_one(self, place: LanePlace) -> bool:
        """Tell whether *place* keeps more than LIGHT bytes, and the slow lane has no room for that."""
        return place.document_bytes > LIGHT and len(self._heavy) >= self._widths.heavy

    def _make_way(self, place: LanePlace) -> None:
        """Move *place* to the slow lane; where too many keep a large part of a document there, end one, perhaps itself.

        The one that ends is of the owner with most of them, so that no owner's sources end those of others, and of
        these the one that received least since it moved there.
        """
        full = self._would_end_one(place)
        self._fast.remove(place)
        self._slow.add(place)
        if place.document_bytes > LIGHT:
            self._heavy[place] = None
        if full:
            shares = Counter(place.owner for place in self._heavy)
            last = min(self._heavy, key=lambda place: (-shares[place.owner], place.received))
            last.end.reschedule(asyncio.get_running_loop().time())
            del self._heavy[last]

    def _patience(self, place: LanePlace) -> float:
        return self._widths.patience if place.reliable else self._widths.patience_with_strangers
