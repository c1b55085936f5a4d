"""Makes the update of a source durable, and only then lets the source be so.

The order matters: what is served before it is durable would be gone after a crash, under a serial that readers have.
"""

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
        """Raise StorageUnavailable where another process is on duty: this one may write no content or record then."""
        if not self._duty.mine:
            problem = StorageUnavailable(f"{_ELSEWHERE}, and this one can't. Nothing was changed; try again later.")
            problem.cause = f"{_ELSEWHERE[0].lower()}{_ELSEWHERE[1:]}"
            raise problem

    async def settle(self, source: Source, update: SourceUpdate, is_current: Callable[[], bool]) -> Outcome | None:
        """Make *update* durable, apply it to *source* and return the outcome; return None where it does not count.

        It counts while *is_current* returns True and this process is on duty. Raise HubFull where there is no room for
        the content, even without what it replaces, or StorageUnavailable. Nothing changes then, nor where it is None.
        """
        if not await self._keep(source, update, is_current):
            return None
        self._table.settle(source, update)
        self._tally.checked(update.outcome, (update.record.status.duration_ms or 0) / 1000)
        return Outcome(source.registration.repo, update.outcome, source.status)

    async def accept(self, source: Source, served: StoredContent, held: StoredContent, intake: Intake) -> Outcome:
        """Let in *held* in the place of *served*, or raise HeldReplaced or StorageUnavailable and let in nothing.

        A check that is under way is outdated by it and tries again: it would decide by what was served before.
        """

        def is_current() -> bool:
            good, waits = source.view.last_good, source.view.held
            return bool(good and waits and waits.stored.says_the_same(held) and good.says_the_same(served))

        repo = source.registration.repo
        if not is_current() or not await self._keep(source, intake.accepted(source, held), is_current):
            self.must_be_on_duty()
            raise HeldReplaced(f"What was held of {repo} is not held any more. Nothing was let in.")
        self._table.outdate(source)
        # Decided once more, by the view and the time of this moment: the content was written in between.
        self._table.settle(source, intake.accepted(source, held))
        return Outcome(repo, "changed", source.status)

    async def _keep(self, source: Source, update: SourceUpdate, is_current: Callable[[], bool]) -> bool:
        """Make *update* durable; return False where it does not count. Raise HubFull or StorageUnavailable.

        Room is reserved before the first ``await``: two sources that arrive together could else both pass the bound.
        """

        def counts() -> bool:
            return is_current() and self._duty.mine

        if update.to_write is None:
            return await self._holdings.settle(update, counts)
        reserved = self._room.reserve(_leaving(source, update), update.to_write.content)
        try:
            return await self._holdings.settle(update, counts)
        finally:
            # The table counts the content itself in the step that follows, or it was not written.
            self._room.give_back(reserved)


def must_hold(view: SourceView) -> tuple[StoredContent, StoredContent]:
    """Return the last good content of a source and what is held in its place, or raise NothingHeld."""
    if view.held is None or view.last_good is None:
        raise NothingHeld(f"Nothing of {view.repo} is held.")
    return view.last_good, view.held.stored


def _leaving(source: Source, update: SourceUpdate) -> tuple[Content | None, ...]:
    """Return the contents of *source* that go when the content of *update* is there."""
    good, held = source.view.contents
    return (held,) if update.writes == "held" else (good, held)
