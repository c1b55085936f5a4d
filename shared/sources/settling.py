"""What a check or an acceptance came to is made durable first, and then it is what the source serves and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.source import Outcome
from shared.problems import HeldReplaced, NothingHeld, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.content import Content
    from shared.model.source import SourceView
    from shared.model.source_update import SourceUpdate
    from shared.model.stored_content import StoredContent
    from shared.sources.intake import Intake
    from shared.sources.room import ContentRoom
    from shared.sources.source import Source
    from shared.sources.table import SourceTable
    from shared.storage.engine import Engine
    from shared.tally import Tally

_ELSEWHERE = "Another process that shares the storage checks the sources and records what they bring"


class Settling:
    """Settles one source of *table* at a time."""

    def __init__(self, engine: Engine, room: ContentRoom, table: SourceTable, tally: Tally) -> None:
        self._holdings = engine.holdings
        self._duty = engine.duty
        self._room = room
        self._table = table
        self._tally = tally

    def must_be_on_duty(self) -> None:
        """Raise StorageUnavailable where another process checks the sources: this one settles nothing then."""
        if not self._duty.mine:
            problem = StorageUnavailable(f"{_ELSEWHERE}, and this one can't. Nothing was changed; try again later.")
            problem.cause = f"{_ELSEWHERE[0].lower()}{_ELSEWHERE[1:]}"
            raise problem

    async def settle(self, source: Source, ended: SourceUpdate, still: Callable[[], bool]) -> Outcome | None:
        """Let a check of *source* come to what it *ended* in; return None, and change nothing, where it does not count.

        It counts while *still* says that it is not outdated, and this process is on duty. Raise HubFull where there is
        no room for the content, even without what it replaces, or StorageUnavailable; then nothing changes.
        """
        if not await self._keep(source, ended, still):
            return None
        self._table.settle(source, ended)
        self._tally.checked(ended.outcome, (ended.record.status.duration_ms or 0) / 1000)
        return Outcome(source.registration.repo, ended.outcome, source.status)

    async def accept(self, source: Source, served: StoredContent, held: StoredContent, intake: Intake) -> Outcome:
        """Let in *held* in the place of *served*, or raise HeldReplaced or StorageUnavailable and let in nothing.

        A check under way that began before is begun anew: what it decided rests on what was served before.
        """

        def still() -> bool:
            good, waits = source.view.kept, source.view.held
            return bool(good and waits and waits.kept.says_the_same(held) and good.says_the_same(served))

        repo = source.registration.repo
        if not still() or not await self._keep(source, intake.accepted(source, held), still):
            self.must_be_on_duty()
            raise HeldReplaced(f"What was held of {repo} is not held any more. Nothing was let in.")
        self._table.outdate(source)
        # Decided once more, by what is known now: time passed while the content was written.
        self._table.settle(source, intake.accepted(source, held))
        return Outcome(repo, "changed", source.status)

    async def _keep(self, source: Source, ended: SourceUpdate, still: Callable[[], bool]) -> bool:
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


def must_hold(view: SourceView) -> tuple[StoredContent, StoredContent]:
    """Return the last good content of a source and what is held in its place, or raise NothingHeld."""
    if view.held is None or view.kept is None:
        raise NothingHeld(f"Nothing of {view.repo} is held.")
    return view.kept, view.held.kept


def _leaving(source: Source, ended: SourceUpdate) -> tuple[Content | None, ...]:
    """Return what the content that *ended* brings takes the place of."""
    good, held = source.view.contents
    return (held,) if ended.writes == "held" else (good, held)
