"""What becomes of content: served, held or kept as it was; decided by what is served and held at that moment.

A decision waits for the disk. Whatever changes meanwhile gives the source another epoch, and then nothing is done.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from shared.model.kept import Held, Kept
from shared.problems import HeldReplaced, HubFull, NothingHeld, StorageUnavailable
from shared.sources.held import measured, past_of, shrinks
from shared.sources.schedule import interval
from shared.sources.source import Outcome, describing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from shared.clock import RunningTime
    from shared.model.content import Content
    from shared.model.kept import Loss
    from shared.model.status import Status
    from shared.sources.check import CheckResult
    from shared.sources.room import ContentRoom
    from shared.sources.source import Ending, Source
    from shared.storage.files.shelf import Shelf, Shelves
    from shared.tally import Tally

T = TypeVar("T")

FEW_IDS = 500
"""So many ids are compared at once, cheaper than in another thread; more beside the event loop."""


class Intake:
    """Decides about content. *tell* is called with each source whose state or content may have changed."""

    def __init__(
        self, shelves: Shelves, room: ContentRoom, time: RunningTime, tally: Tally, tell: Callable[[Source], None]
    ) -> None:
        self._shelves = shelves
        self._room = room
        self._time, self._clock = time, time.clock
        self._tally = tally
        self._tell = tell

    async def take(self, source: Source, result: CheckResult, last: Kept | None, duration: int) -> Outcome | None:
        """Serve, hold or keep the content of *result*; after a 304 that is the content of *last*."""
        now, kept, held = self._clock.stamp(), source.kept, source.held
        status = source.status.checked(now, result.http_status, result.size, duration)
        row, content = source.registration, result.content or _content(last)
        new = Kept(row.url, result.validators, now, content, row.registered_at, sequence=row.sequence)
        if kept and new.says_the_same(kept):
            return await self._stays(source, replace(new, changed_at=kept.changed_at, past=kept.past), status)
        if held and new.says_the_same(held.kept):
            source.held = held.again(new, self._time.ran)
            if not source.held.outwaited(self._time.ran):
                return self.ended(source, "held", status)
            return await self._let_in(source, new, status)
        return await self._judge(source, new, status) if kept else await self._let_in(source, new, status)

    async def _judge(self, source: Source, new: Kept, status: Status) -> Outcome | None:
        """Hold *new* if it lacks too much of what was served within a day, else let it in."""
        epoch, kept, now = source.epoch, source.kept, self._time.ran
        assert kept is not None  # noqa: S101 - without anything that is served there is nothing to be judged by
        loss = await _beside(measured, kept, new.content, now) if kept.past else None
        too_little = await _beside(_shrinks, kept, new.content, now) or (loss is not None and loss.too_much)
        past = () if too_little else await _beside(past_of, kept, new.content, now)
        if source.epoch is not epoch:
            return None
        if too_little:
            return await self._hold(source, replace(new, instead_of=kept.content.digest), loss, status)
        return await self._let_in(source, replace(new, past=past), status)

    async def _stays(self, source: Source, new: Kept, status: Status) -> Outcome | None:
        """Keep *new*, which says what is served already. Its file is written where it came from another URL."""
        if source.kept and source.kept.url != new.url:
            if not await self._put(source, new, self._shelves.good, source.contents):
                return None
            self._keep(source, new)
        source.kept = new
        self.release(source)
        return self.ended(source, "unchanged", status)

    async def _hold(self, source: Source, new: Kept, loss: Loss | None, status: Status) -> Outcome | None:
        _, held = source.contents
        if not await self._put(source, new, self._shelves.held, (held,)):
            return None
        self._room.leave(held)
        self._room.take(new.content)
        source.held = Held(new, self._time.ran, loss)
        return self.ended(source, "held", status)

    async def _let_in(self, source: Source, new: Kept, status: Status) -> Outcome | None:
        if not await self._put(source, new, self._shelves.good, source.contents):
            return None
        self._keep(source, new)
        return self.ended(source, "changed", status)

    async def _put(self, source: Source, new: Kept, shelf: Shelf, leaving: Iterable[Content | None]) -> bool:
        """Place *new* on the *shelf*; return False, and place nothing, when the source was changed meanwhile.

        Raise HubFull where there is no room for it, even without what is *leaving*.
        """
        epoch, repo = source.epoch, source.registration.repo
        self._room.require(leaving, new.content)
        draft = await self._draft(shelf, repo, new)
        if source.epoch is not epoch:
            shelf.discard(draft)
            return False
        try:
            # While the draft was written, the content of other sources may have taken the room.
            self._room.require(leaving, new.content)
        except HubFull:
            shelf.discard(draft)
            raise
        self._place(shelf, draft, repo)
        return True

    async def _draft(self, shelf: Shelf, repo: str, new: Kept) -> Path:
        with self._counted():
            return await asyncio.to_thread(shelf.draft, repo, new)

    def _place(self, shelf: Shelf, draft: Path, repo: str) -> None:
        with self._counted():
            shelf.place(draft, repo)
        self._tally.wrote("contents", "done")

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a content that the volume refuses."""
        try:
            yield
        except StorageUnavailable:
            self._tally.wrote("contents", "failed")
            raise

    def _keep(self, source: Source, new: Kept) -> None:
        """Serve *new*, which lies on the shelf, from now on."""
        self._room.leave(source.content)
        self._room.take(new.content)
        source.kept = new
        self.release(source)

    def release(self, source: Source) -> None:
        """Drop what is held of *source*, in memory and on the shelf."""
        if source.held:
            self._room.leave(source.held.kept.content)
            self._shelves.held.drop(source.registration.repo)
            source.held = None

    async def accept(self, source: Source, served: Kept, held: Kept) -> Outcome:
        """Let in *held* in the place of *served*, or raise HeldReplaced and let in nothing.

        A check under way that began before is begun anew: what it decided rests on what was served before.
        """
        repo = source.registration.repo
        _must_still_hold(source, served, held)
        new = replace(held, changed_at=self._clock.stamp(), instead_of="")
        draft = await self._draft(self._shelves.good, repo, new)
        try:
            _must_still_hold(source, served, held)
        except HeldReplaced:
            self._shelves.good.discard(draft)
            raise
        self._place(self._shelves.good, draft, repo)
        source.epoch = object()
        self._keep(source, new)
        source.status = describing(source.status, new)
        self._tell(source)
        return Outcome(repo, "changed", source.status)

    def ended(self, source: Source, outcome: Ending, status: Status) -> Outcome:
        """Record what a check came to, and when the next one is due."""
        source.looked = self._time.watched
        if status.error is None:
            source.marks, source.failing_since, source.good, source.unread = (), None, self._time.ran, False
        ttl = source.registration.cache_ttl_seconds
        source.due = self._clock.monotonic() + interval(ttl, status.consecutive_failures)
        source.status = describing(status, source.kept)
        self._tell(source)
        self._tally.checked(outcome, (status.duration_ms or 0) / 1000)
        return Outcome(source.registration.repo, outcome, source.status)


def _content(last: Kept | None) -> Content:
    assert last is not None  # noqa: S101 - only a request with validators is answered with 304
    return last.content


def _must_still_hold(source: Source, served: Kept, held: Kept) -> None:
    """Raise HeldReplaced unless *served* is the last good content of *source* and *held* waits in its place."""
    now = source.held and source.held.kept
    if not (now and source.kept and now.says_the_same(held) and source.kept.says_the_same(served)):
        raise HeldReplaced(f"What was held of {source.registration.repo} is not held any more. Nothing was let in.")


def must_hold(source: Source) -> tuple[Kept, Kept]:
    """Return the last good content of *source* and what is held in its place, or raise NothingHeld."""
    if source.held is None or source.kept is None:
        raise NothingHeld(f"Nothing of {source.registration.repo} is held.")
    return source.kept, source.held.kept


def _shrinks(kept: Kept, new: Content, _now: float) -> bool:
    return shrinks(kept.content, new)


async def _beside(compare: Callable[[Kept, Content, float], T], kept: Kept, new: Content, now: float) -> T:
    """Return what *compare* makes of the ids, beside the event loop where they are many."""
    ids = len(kept.content.entries) + len(new.entries) + sum(one.size for one in kept.past)
    return compare(kept, new, now) if ids <= FEW_IDS else await asyncio.to_thread(compare, kept, new, now)
