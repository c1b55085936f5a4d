"""Who may fetch when: a fast lane for what makes progress, and a slow one, so that those who hang delay no one.

Origins that answered lately go first and have places that no stranger takes. While they are fetched strangers start
in turn with them, one for every few, because a hundred that fail take as much of the processor as a hundred that do
not. A fetch that brings next to nothing for a while leaves its place in the fast lane when another one waits for it,
and goes on in the slow lane as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRESS = 1024
"""Bytes that must come while the others are patient: a drip is no progress."""


@dataclass(frozen=True, slots=True)
class Widths:
    """How many fetches go on at a time, and for how long nothing may come: from known origins, and from strangers.

    *reserved* places of the fast lane are not for strangers. Beside known origins they get no more than *beside*, and
    one of them starts for every *turns* of the others, or whenever the lanes are looked after. Known origins are still
    at it when none of them is on its way for less than *lull* seconds.
    """

    fast: int = 32
    slow: int = 128
    reserved: int = 8
    beside: int = 2
    patience: float = 2.0
    patience_with_strangers: float = 0.25
    turns: int = 8
    lull: float = 0.1


@dataclass(slots=True, eq=False)
class Place:
    """One fetch on its way; it says what it receives."""

    known: bool
    turn: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    since: float = 0.0
    received: int = 0


class Lanes:
    """The two lanes. All of it runs in one event loop."""

    def __init__(self, widths: Widths) -> None:
        self._widths = widths
        self._fast: set[Place] = set()
        self._slow: set[Place] = set()
        self._waiting: dict[bool, deque[Place]] = {True: deque(), False: deque()}
        self._timer: asyncio.TimerHandle | None = None
        self._turns = 0
        self._known_until = 0.0

    @contextlib.asynccontextmanager
    async def place(self, *, known: bool) -> AsyncIterator[Place]:
        """Wait for a place in the fast lane and hold it; *known* origins answered lately."""
        place = Place(known)
        self._waiting[known].append(place)
        self._admit()
        self._watch()
        try:
            await place.turn
            yield place
        finally:
            self._leave(place)

    def _leave(self, place: Place) -> None:
        if place in self._fast or place in self._slow:
            self._fast.discard(place)
            self._slow.discard(place)
            if place.known:
                self._known_until = asyncio.get_running_loop().time() + self._widths.lull
            self._admit()
        else:
            self._waiting[place.known].remove(place)

    def _admit(self) -> None:
        now = asyncio.get_running_loop().time()
        for known in (True, False):
            waiting = self._waiting[known]
            while waiting and self._has_room(now, known=known):
                place = waiting.popleft()
                place.since = now
                self._turns = self._turns + 1 if known else 0
                self._fast.add(place)
                # One that was cancelled while it waited is about to leave.
                if not place.turn.done():
                    place.turn.set_result(None)

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
        for place in [place for place in self._fast if now - place.since >= self._patience(place)]:
            if place.received < PROGRESS and len(self._slow) < self._widths.slow:
                self._fast.remove(place)
                self._slow.add(place)
            place.since, place.received = now, 0
        self._turns = self._widths.turns
        self._admit()
        self._watch()

    def _patience(self, place: Place) -> float:
        return self._widths.patience if place.known else self._widths.patience_with_strangers
