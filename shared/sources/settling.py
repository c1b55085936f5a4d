"""What a check or an acceptance came to is made durable first, and then it is what the source serves and holds.

This is the only place that changes what is kept of a source while the hub runs, and so what counts in its room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.problems import HeldReplaced, NothingHeld, StorageUnavailable
from shared.sources.source import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.clock import Clock
    from shared.model.content import Content
    from shared.model.kept import Kept
    from shared.model.settled import Settled
    from shared.sources.intake import Intake
    from shared.sources.room import ContentRoom
    from shared.sources.source import Source
    from shared.storage.engine import Engine
    from shared.tally import Tally

_ELSEWHERE = "Another process that shares the storage checks the sources and records what they bring"


class Settling:
    """Settles one source at a time. *tell* is called for each whose state or content may have changed."""

    def __init__(
        self, engine: Engine, room: ContentRoom, clock: Clock, tally: Tally, tell: Callable[[Source], None]
    ) -> None:
        self._holdings = engine.holdings
        self._duty = engine.duty
        self._room = room
        self._clock = clock
        self._tally = tally
        self._tell = tell

    def must_be_on_duty(self) -> None:
        """Raise StorageUnavailable where another process checks the sources: this one settles nothing then."""
        if not self._duty.mine:
            problem = StorageUnavailable(f"{_ELSEWHERE}, and this one can't. Nothing was changed; try again later.")
            problem.cause = f"{_ELSEWHERE[0].lower()}{_ELSEWHERE[1:]}"
            raise problem

    async def settle(self, source: Source, ended: Settled, still: Callable[[], bool]) -> Outcome | None:
        """Let a check of *source* come to what it *ended* in; return None, and change nothing, where it does not count.

        It counts while *still* says that it is not outdated, and this process is on duty. Raise HubFull where there is
        no room for the content, even without what it replaces, or StorageUnavailable; then nothing changes.
        """
        if not await self._keep(source, ended, still):
            return None
        self._apply(source, ended)
        self._tally.checked(ended.outcome, (ended.record.status.duration_ms or 0) / 1000)
        return Outcome(source.registration.repo, ended.outcome, source.status)

    async def accept(self, source: Source, served: Kept, held: Kept, intake: Intake) -> Outcome:
        """Let in *held* in the place of *served*, or raise HeldReplaced or StorageUnavailable and let in nothing.

        A check under way that began before is begun anew: what it decided rests on what was served before.
        """

        def still() -> bool:
            now = source.held and source.held.kept
            return bool(now and source.kept and now.says_the_same(held) and source.kept.says_the_same(served))

        repo = source.registration.repo
        if not still() or not await self._keep(source, intake.accepted(source, held), still):
            self.must_be_on_duty()
            raise HeldReplaced(f"What was held of {repo} is not held any more. Nothing was let in.")
        source.epoch = object()
        # Decided once more, by what is known now: a check may have failed while the content was written.
        self._apply(source, intake.accepted(source, held))
        return Outcome(repo, "changed", source.status)

    async def _keep(self, source: Source, ended: Settled, still: Callable[[], bool]) -> bool:
        """Make what *source* *ended* in durable, with room for it from before the first wait until it is there."""

        def counts() -> bool:
            return still() and self._duty.mine

        if ended.written is None:
            return await self._holdings.settle(ended, counts)
        reserved = self._room.reserve(_leaving(source, ended), ended.written.content)
        try:
            return await self._holdings.settle(ended, counts)
        finally:
            self._room.give_back(reserved)

    def _apply(self, source: Source, ended: Settled) -> None:
        moves = ended.writes is not None or ended.drops_held
        if moves:
            self._room.leave(*source.contents)
        source.become(ended)
        if moves:
            self._room.take(*source.contents)
        if ended.wait is not None:
            source.due = self._clock.monotonic() + ended.wait
        self._tell(source)

    def release(self, source: Source) -> None:
        """Drop what is held of *source*, here and where it is kept."""
        if source.held:
            self._room.leave(source.held.kept.content)
            self._holdings.forget(source.registration.repo, held_only=True)
            source.held = None

    def empty(self, source: Source) -> None:
        """Forget what was read from the URL of *source*, here and where it is kept."""
        self._room.leave(*source.contents)
        source.empty()
        self._holdings.forget(source.registration.repo)


def must_hold(source: Source) -> tuple[Kept, Kept]:
    """Return the last good content of *source* and what is held in its place, or raise NothingHeld."""
    if source.held is None or source.kept is None:
        raise NothingHeld(f"Nothing of {source.registration.repo} is held.")
    return source.kept, source.held.kept


def _leaving(source: Source, ended: Settled) -> tuple[Content | None, ...]:
    """Return what the content that *ended* brings takes the place of."""
    good, held = source.contents
    return (held,) if ended.writes == "held" else (good, held)
