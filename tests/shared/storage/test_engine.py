"""What every engine promises about contents, states, editions and the past, run over every engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.hub import open_hub
from shared.model.author import Author
from shared.model.lines import ChangeLine, Delta
from shared.model.record import Record, RecordDetails
from shared.model.registration import Registration
from shared.model.source_update import SourceUpdate, StoredSource
from shared.model.spans import Span
from shared.model.status import STATES, Status
from shared.model.stored_content import HeldContent, StoredContent
from shared.registration_fields import read_fields
from shared.storage.engine import Engine, Head, RunningSeconds, StoredEdition
from shared.storage.files import FilesEngine
from shared.storage.memory import MemoryEngine
from shared.tally import Tally
from tests.builders import capability, index, registration, url_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import respx

    from shared.settings import Settings
    from tests.builders import Hands

ROW = Registration(
    **registration(), registered_at="2026-11-23T09:00:00.000001Z", updated_at="2026-11-23T09:00:00.000001Z",
    registered_by="operator", revision=1, sequence=1,
)  # fmt: skip
OTHER = replace(ROW, repo="other", url=url_of("other"), sequence=2)
NOW = "2026-11-23T10:00:00Z"


def kept(number: int, row: Registration = ROW) -> StoredContent:
    content = read_index(index(capability(number)), row.repo)
    return StoredContent(row.url, Validators(f'"{number}"'), NOW, content, row.registered_at, sequence=row.sequence)


def record(state: str = "fresh", row: Registration = ROW, **changes: Any) -> Record:
    status = Status(state=state, state_since=NOW, **changes)  # type: ignore[arg-type]  # one of STATES
    return Record(row.repo, row.url, row.registered_at, row.revision, status, RecordDetails(), row.sequence)


def let_in(number: int = 1, row: Registration = ROW, *, drops_held: bool = False) -> SourceUpdate:
    return SourceUpdate("changed", record(row=row), kept(number, row), None, "good", drops_held)


def held_back(number: int = 2) -> SourceUpdate:
    return SourceUpdate("held", record("held"), kept(1), HeldContent(kept(number), None), "held")


class Engines:
    """Opens an engine on what the one before it kept."""

    def __init__(self, make: Callable[[], Engine]) -> None:
        self._make = make
        self.engine = make()
        self.engine.open()
        self.engine.prepare()

    def next(self) -> Engine:
        """Return the engine that the next process is about to open."""
        self.engine.release()
        self.engine = self._make()
        return self.engine

    def again(self) -> Engine:
        """Return the engine that the next process has opened."""
        self.next().open()
        return self.engine

    def known(self, *rows: Registration) -> dict[str, StoredSource]:
        """Return what the next process knows of *rows*."""
        return dict(self.again().holdings.load(rows or (ROW,)).sources)


@pytest.fixture(params=["files", "memory"])
def engines(request: pytest.FixtureRequest, tmp_path: Path, hands: Hands) -> Iterator[Engines]:
    """Every engine, one after the other."""
    memory = MemoryEngine(hands.clock())
    files = request.param == "files"
    made = Engines((lambda: FilesEngine(tmp_path / "data", hands.clock(), Tally())) if files else lambda: memory)
    yield made
    made.engine.release()


def now() -> bool:
    """Say that a decision still holds."""
    return True


def test_a_hub_that_served_nothing_yet_is_at_serial_0() -> None:
    assert StoredEdition(Head(), []).head == (0, "", "", {})


def test_a_new_engine_holds_nothing(engines: Engines) -> None:
    engine = engines.engine

    assert (engine.health(), engine.duty.mine) == ("ok", True)
    assert engine.editions.load().head == Head()
    assert [*engine.editions.load().lines, *engine.timeline.load(), *engine.registrations.all()] == []
    assert engine.holdings.load([ROW]) == (RunningSeconds(), {ROW.repo: StoredSource()})


async def test_what_a_check_came_to_is_known_after_a_restart(engines: Engines) -> None:
    holdings = engines.engine.holdings

    assert await holdings.settle(let_in(), now)
    assert await holdings.settle(held_back(), now)
    await holdings.secure()

    assert engines.known() == {ROW.repo: StoredSource(record("held"), kept(1), kept(2))}


async def test_an_acceptance_is_whole(engines: Engines) -> None:
    holdings = engines.engine.holdings
    await holdings.settle(let_in(), now)
    await holdings.settle(held_back(), now)

    assert await holdings.settle(let_in(2, drops_held=True), now)
    await holdings.secure()

    assert engines.known() == {ROW.repo: StoredSource(record(), kept(2), None)}


async def test_a_failure_leaves_what_is_kept_and_its_state_is_secured(engines: Engines) -> None:
    holdings = engines.engine.holdings
    await holdings.settle(let_in(), now)
    failed = SourceUpdate("failed", record("stale", consecutive_failures=1), kept(1), None)

    assert await holdings.settle(failed, now)
    await holdings.secure()

    assert engines.known() == {ROW.repo: StoredSource(failed.record, kept(1), None)}


@pytest.mark.parametrize(
    "late",
    [let_in(3), held_back(), SourceUpdate("failed", record("stale"), kept(1), None)],
    ids=["good", "held", "failed"],
)
async def test_what_is_outdated_when_it_is_ready_changes_nothing(engines: Engines, late: SourceUpdate) -> None:
    holdings = engines.engine.holdings
    await holdings.settle(let_in(), now)
    await holdings.secure()

    assert not await holdings.settle(late, lambda: False)
    await holdings.secure()

    assert engines.known() == {ROW.repo: StoredSource(record(), kept(1), None)}


async def test_records_are_jotted_in_a_batch_and_those_of_others_stay(engines: Engines) -> None:
    holdings = engines.engine.holdings
    await holdings.settle(let_in(row=OTHER), now)
    jotted = record(checked_at=NOW)

    await holdings.save_records([jotted], RunningSeconds(50.0, 40.0))

    assert engines.again().holdings.load([ROW, OTHER]) == (
        RunningSeconds(50.0, 40.0),
        {ROW.repo: StoredSource(jotted), OTHER.repo: StoredSource(record(row=OTHER), kept(1, OTHER))},
    )


async def test_how_long_the_hub_lasted_stays_known_while_states_are_secured(engines: Engines) -> None:
    holdings = engines.engine.holdings
    await holdings.save_records([], RunningSeconds(50.0, 40.0))
    await holdings.settle(let_in(), now)
    await holdings.secure()

    assert engines.again().holdings.load([]).running == RunningSeconds(50.0, 40.0)


async def test_forgets_a_repo_or_only_what_is_held_of_it(engines: Engines) -> None:
    holdings = engines.engine.holdings
    await holdings.settle(let_in(), now)
    await holdings.settle(held_back(), now)
    holdings.forget(ROW.repo, held_only=True)
    await holdings.save_records([], RunningSeconds())
    assert engines.known() == {ROW.repo: StoredSource(record("held"), kept(1), None)}

    engines.engine.holdings.forget(ROW.repo)
    await engines.engine.holdings.save_records([], RunningSeconds())

    assert engines.known() == {ROW.repo: StoredSource()}


async def test_content_of_another_registration_of_the_name_is_not_given(engines: Engines) -> None:
    await engines.engine.holdings.settle(let_in(), now)
    await engines.engine.holdings.secure()

    again = replace(ROW, sequence=7)
    moved = replace(ROW, url=url_of("moved"), revision=2)

    assert engines.known(again)[ROW.repo].good is None
    assert engines.known(moved)[ROW.repo].good == kept(1)


async def test_what_counts_no_more_is_removed_once_it_is_tidied(engines: Engines) -> None:
    holdings = engines.engine.holdings
    for row in (ROW, OTHER, replace(ROW, repo="gone")):
        await holdings.settle(let_in(row=row), now)
    await holdings.settle(held_back(), now)
    await holdings.secure()
    engines.known(ROW, OTHER)

    holdings = engines.engine.holdings
    holdings.ignore(ROW.repo, held_only=True)
    holdings.ignore(OTHER.repo)
    opened = holdings.load([ROW, OTHER]).sources
    engines.engine.prepare()
    holdings.tidy([ROW.repo, OTHER.repo])
    holdings.tidy([ROW.repo, OTHER.repo])

    contents = [(one.good, one.held) for one in engines.known(ROW, OTHER, replace(ROW, repo="gone")).values()]
    assert [(one.good, one.held) for one in opened.values()] == [(kept(1), kept(2)), (kept(1, OTHER), None)]
    assert contents == [(kept(1), None), (None, None), (None, None)]


async def test_a_serial_is_given_in_a_turn_one_after_the_other(engines: Engines) -> None:
    editions = engines.engine.editions
    lines = [ChangeLine.of(serial, f"sha256:{serial}", Delta()) for serial in (1, 2)]
    order: list[int] = []

    async def compose(serial: int) -> None:
        async with editions.turn() as turn:
            order.append(serial)
            await asyncio.sleep(0)
            await turn.publish(Head(serial, NOW, f"sha256:{serial}", {}), lines[:serial])
            order.append(serial)

    await asyncio.gather(compose(1), compose(2))

    assert order == [1, 1, 2, 2]
    head, loaded = engines.again().editions.load()
    assert (head, list(loaded)) == (Head(2, NOW, "sha256:2", {}), lines)


async def test_the_past_is_what_was_saved_last(engines: Engines) -> None:
    spans = [Span(60, 120, tuple(range(len(STATES))))]
    await engines.engine.timeline.save([])
    await engines.engine.timeline.save(spans)

    assert engines.again().timeline.load() == spans


async def test_a_hub_on_any_engine_reads_serves_and_goes_on_after_a_restart(
    engines: Engines, settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(capability(1)))
    hub = open_hub(settings, hands.clock(), engines.next())
    async with hub.running():
        hub.sources.watch(await hub.store.add(read_fields(registration(), hub.guard), Author("anna")))
        await hub.sources.refresh("state-hub")
        before = await hub.federation.shown()

    hub = open_hub(settings, hands.clock(), engines.next())
    async with hub.running():
        after = await hub.federation.shown()
        status = hub.sources.status("state-hub")

    assert (status.state, status.capability_count) == ("fresh", 1)
    assert (after.serial, after.substance) == (before.serial, before.substance)
