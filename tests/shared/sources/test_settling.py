from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.model.status import Status
from shared.model.stored_content import HeldContent, StoredContent
from shared.problems import HeldReplaced, HubFull, NothingHeld, SourceTimeout, StorageUnavailable
from shared.sources.hosts import Hosts
from shared.sources.intake import Intake
from shared.sources.room import ContentRoom
from shared.sources.settling import Settling, must_hold
from shared.sources.table import SourceTable
from shared.storage.memory import MemoryEngine
from shared.tally import Tally
from tests.builders import Hands, capability, index, registration

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.source_update import SourceUpdate

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
NOW = "2026-11-23T10:00:00Z"


def kept(*numbers: int) -> StoredContent:
    return StoredContent(ROW.url, Validators(), NOW, read_index(index(*map(capability, numbers)), ROW.repo))


class Hub:
    """A source of which some content is served and other content held, and all that settles it."""

    def __init__(self, room: int = 100) -> None:
        self.time = Hands().running()
        self.engine, self.room, self.tally = MemoryEngine(self.time.clock), ContentRoom(room, 64), Tally()
        self.holdings = self.engine.holdings
        self.intake = Intake(self.time, 86400)
        self.table = SourceTable(Hosts(), self.room, self.time, 86400)
        self.settling = Settling(self.engine, self.room, self.table, self.tally)
        status = Status(state="held", state_since=NOW, checked_at=NOW, succeeded_at=NOW)
        view = SourceView(ROW, status, kept(1, 2, 3), HeldContent(kept(7), 0.0))
        self.room.take(*view.contents)
        self.source = self.table.add(view, self.time.clock.monotonic())

    @property
    def view(self) -> SourceView:
        """What is known of the source."""
        return self.source.view

    def become(self, **changes: object) -> None:
        """Let something else be known of the source, as a write of its registration would."""
        self.table.edit(self.source, replace(self.view, **changes), due=None)  # type: ignore[arg-type]

    def between(self, act: Callable[[], object]) -> None:
        """Let *act* happen once, while content is written."""
        real = self.holdings.settle

        async def settle(update: SourceUpdate, is_current: Callable[[], bool]) -> bool:
            self.holdings.settle = real  # type: ignore[method-assign]
            act()
            return await real(update, is_current)

        self.holdings.settle = settle  # type: ignore[method-assign]

    async def accept(self) -> str:
        """Let in what is held, and return the outcome."""
        served, held = must_hold(self.view)
        return (await self.settling.accept(self.source, served, held, self.intake)).outcome


async def test_an_acceptance_serves_what_was_held_and_outdates_a_check_under_way() -> None:
    hub = Hub()
    epoch, due = hub.source.epoch, hub.source.due

    assert await hub.accept() == "changed"

    source = hub.source
    assert (hub.view.last_good, hub.view.held, hub.table.generation) == (kept(7), None, 1)
    assert hub.room.used.capabilities == 1
    assert source.epoch is not epoch
    # An acceptance is no check.
    assert (source.due, source.status.checked_at, sum(hub.tally.checks.values())) == (due, NOW, 0)
    assert hub.holdings.load([ROW]).sources[ROW.repo].good == kept(7)


async def test_a_check_that_fails_while_an_acceptance_is_written_is_told_of_too() -> None:
    hub = Hub()
    problem = SourceTimeout("Late.")

    def fail() -> None:
        hub.table.settle(hub.source, hub.intake.failed(hub.source, problem, 5))

    hub.between(fail)

    assert await hub.accept() == "changed"

    status = hub.source.status
    assert (hub.view.last_good, hub.view.held) == (kept(7), None)
    assert (status.consecutive_failures, status.error) == (1, {"type": problem.slug, "detail": "Late."})
    assert hub.view.failing_since == NOW


@pytest.mark.parametrize("what", ["released", "emptied", "held anew", "served anew"])
async def test_an_acceptance_of_what_is_held_no_more_lets_in_nothing(what: str) -> None:
    hub = Hub()
    changes: dict[str, Callable[[], object]] = {
        "released": lambda: hub.become(held=None),
        "emptied": lambda: hub.become(last_good=None, held=None),
        "held anew": lambda: hub.become(held=HeldContent(kept(8), 0.0)),
        "served anew": lambda: hub.become(last_good=kept(1, 2)),
    }
    hub.between(changes[what])

    with pytest.raises(HeldReplaced):
        await hub.accept()

    assert hub.view.last_good != kept(7)
    assert hub.holdings.load([ROW]).sources[ROW.repo].good is None


async def test_there_is_no_room_twice_while_content_is_written() -> None:
    hub, used = Hub(room=8), list[int]()
    arriving = replace(hub.view, last_good=kept(1, 2, 3, 4, 5, 6), held=None)
    ended = hub.intake._settled(hub.source, arriving, "changed", "good")
    hub.between(lambda: used.append(hub.room.used.capabilities))

    assert await hub.settling.settle(hub.source, ended, lambda: True)

    # What is served and held, four of them, is there until six take their place.
    assert (used, hub.room.used.capabilities) == ([6], 6)


@pytest.mark.parametrize("fault", [StorageUnavailable("Full."), MemoryError()], ids=["a full disk", "unforeseen"])
async def test_what_could_not_be_kept_leaves_the_source_and_the_room_as_they_were(fault: Exception) -> None:
    hub = Hub()
    before, used = hub.view, hub.room.used

    def fail() -> None:
        raise fault

    hub.between(fail)
    with pytest.raises(type(fault)):
        await hub.accept()

    assert hub.view is before
    assert (hub.room.used, hub.table.generation) == (used, 0)


async def test_what_finds_no_room_is_not_written() -> None:
    hub = Hub(room=5)
    arriving = replace(hub.view, last_good=kept(1, 2, 3, 4, 5, 6), held=None)
    ended = hub.intake._settled(hub.source, arriving, "changed", "good")

    with pytest.raises(HubFull):
        await hub.settling.settle(hub.source, ended, lambda: True)

    assert (hub.room.used.capabilities, hub.holdings.load([ROW]).sources[ROW.repo].good) == (4, None)


async def test_a_check_that_is_outdated_changes_nothing_and_is_not_counted() -> None:
    hub = Hub()
    ended = hub.intake.failed(hub.source, SourceTimeout("Late."), 5)

    assert await hub.settling.settle(hub.source, ended, lambda: False) is None

    assert (hub.view.status.error, hub.table.generation, sum(hub.tally.checks.values())) == (None, 0, 0)


def test_a_decision_changes_nothing_by_itself() -> None:
    hub = Hub()
    before, due = hub.view, hub.source.due

    ended = hub.intake.failed(hub.source, SourceTimeout("Late."), 5)

    assert hub.view is before
    assert hub.source.due == due
    assert (ended.outcome, ended.record.status.state, ended.writes) == ("failed", "stale", None)


def test_what_is_not_held_can_not_be_accepted() -> None:
    with pytest.raises(NothingHeld):
        must_hold(SourceView(ROW))
