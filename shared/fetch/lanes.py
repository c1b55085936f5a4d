"""Who may fetch when: a fast lane for what makes progress, and a slow one, so that those who hang delay no one.

Origins that answered lately go first and have places that no stranger takes. While they are fetched strangers start
in turn with them, one for every few, because a hundred that fail take as much of the processor as a hundred that do
not. Of those who wait alike, the owner of sources with the fewest fetches under way is next. A fetch that brings next
to nothing for a while leaves its place in the fast lane when another one waits for it, and goes on in the slow lane as
it was.

The slow lane costs a connection for each, and hardly any memory: when the document comes that a fetch there has waited
for, it returns to the fast lane. Only a few that stop in the middle of a document wait in the slow lane with what came
of it.
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
"""Bytes that must come while the others are patient: a drip is no progress."""

LIGHT = 64 * 1024
"""Bytes of a document that any fetch in the slow lane may keep."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How many fetches go on at a time, and for how long nothing may come: from known origins, and from strangers.

    *reserved* places of the fast lane are not for strangers. Beside known origins they get no more than *beside*, and
    one of them starts for every *turns* of the others, or whenever the lanes are looked after. Known origins are still
    at it when none of them is on its way for less than *lull* seconds. *heavy* fetches in the slow lane may keep more
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
    """One fetch on its way; it says what it receives, and of how many bytes of its document it is about to keep.

    *end* ends it in the middle.
    """

    lanes: Lanes
    known: bool
    talk: TalkTime | None = None
    turn: asyncio.Future[None] = field(default_factory=_future)
    since: float = 0.0
    received: int = 0
    kept: int = 0
    end: asyncio.Timeout = field(default_factory=lambda: asyncio.timeout(None))

    @property
    def owner(self) -> str:
        """Who registered the source, or tries it out."""
        return self.talk.owner if self.talk else ""

    async def keep(self, size: int) -> None:
        """Keep *size* bytes of the document from now on; in the slow lane wait before if that is more than LIGHT."""
        self.kept = size
        if size > LIGHT and self.lanes.must_return(self):
            with self.talk.paused() if self.talk else contextlib.nullcontext():
                await self.lanes.returned(self)


class Lanes:
    """The two lanes. All of it runs in one event loop."""

    def __init__(self, widths: Widths) -> None:
        self._widths = widths
        self._fast: set[LanePlace] = set()
        self._slow: set[LanePlace] = set()
        self._heavy: dict[LanePlace, None] = {}
        self._waiting: dict[bool, dict[str, deque[LanePlace]]] = {True: {}, False: {}}
        self._under_way: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._turns = 0
        self._known_until = 0.0

    @contextlib.asynccontextmanager
    async def place(self, *, known: bool, talk: TalkTime | None = None) -> AsyncIterator[LanePlace]:
        """Wait for a place in the fast lane and hold it; *known* origins answered lately.

        Raise SourceTimeout for a fetch that stopped in the middle of a document when too many others did.
        """
        place = LanePlace(self, known, talk)
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
        """Tell whether *place* is in the slow lane, and not for a stop in the middle of its document."""
        return place in self._slow and place not in self._heavy

    async def returned(self, place: LanePlace) -> None:
        """Return when *place*, now in the slow lane, is in the fast one again: before others of its owner that wait."""
        place.turn = _future()
        await self._wait(place, first=True)

    async def _wait(self, place: LanePlace, *, first: bool = False) -> None:
        line = self._waiting[place.known].setdefault(place.owner, deque())
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
        if place.known:
            self._known_until = asyncio.get_running_loop().time() + self._widths.lull
        self._admit()

    def _withdraw(self, place: LanePlace) -> None:
        """Have *place* wait no longer, if it does."""
        line = self._waiting[place.known].get(place.owner, deque())
        if place in line:
            line.remove(place)
            if not line:
                del self._waiting[place.known][place.owner]

    def _admit(self) -> None:
        now = asyncio.get_running_loop().time()
        while (known := self._next(now)) is not None:
            owners = self._waiting[known]
            place = owners[min(owners, key=self._under_way.__getitem__)][0]
            self._withdraw(place)
            place.since, place.received = now, 0
            self._turns = self._turns + 1 if known else 0
            if place in self._slow:
                self._slow.discard(place)
            else:
                self._under_way[place.owner] += 1
            self._fast.add(place)
            # One that was cancelled while it waited is about to leave.
            if not place.turn.done():
                place.turn.set_result(None)

    def _next(self, now: float) -> bool | None:
        """Tell whether a known origin is next, or a stranger; None where nobody waits that there is room for."""
        strangers = bool(self._waiting[False]) and self._has_room(now, known=False)
        # A turn that strangers have come to is theirs, however many known origins wait.
        if self._waiting[True] and not (strangers and self._turns >= max(self._widths.turns, 1)):
            return True if self._has_room(now, known=True) else None
        return False if strangers else None

    def _has_room(self, now: float, *, known: bool) -> bool:
        room = self._widths.fast - len(self._fast)
        if known or room <= 0:
            return room > 0
        strangers = sum(not place.known for place in self._fast)
        if strangers == len(self._fast) and now >= self._known_until:
            return strangers < self._widths.fast - self._widths.reserved
        return strangers < self._widths.beside and self._turns >= self._widths.turns

    def _watch(self) -> None:
        """Look after those who hang, for as long as someone waits."""
        if self._timer is None and any(self._waiting.values()):
            pause = self._widths.patience_with_strangers / 4
            self._timer = asyncio.get_running_loop().call_later(pause, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        waiting = sum(len(line) for lines in self._waiting.values() for line in lines.values())
        # Those that go on with what they have come first: then fewer are ended for the others who wait.
        overdue = [place for place in self._fast if now - place.since >= self._patience(place)]
        for place in sorted(overdue, key=lambda one: (one.kept > LIGHT, one.since)):
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
        """Tell whether the slow lane has no room for what *place* has of its document."""
        return place.kept > LIGHT and len(self._heavy) >= self._widths.heavy

    def _make_way(self, place: LanePlace) -> None:
        """Have *place* go on in the slow lane; where too many keep a part of a document there, end one, perhaps itself.

        That is one of the owner with most of them, so that nobody's sources end those of others, and of these the one
        that brought least since it stopped.
        """
        full = self._would_end_one(place)
        self._fast.remove(place)
        self._slow.add(place)
        if place.kept > LIGHT:
            self._heavy[place] = None
        if full:
            shares = Counter(one.owner for one in self._heavy)
            last = min(self._heavy, key=lambda one: (-shares[one.owner], one.received))
            last.end.reschedule(asyncio.get_running_loop().time())
            del self._heavy[last]

    def _patience(self, place: LanePlace) -> float:
        return self._widths.patience if place.known else self._widths.patience_with_strangers
