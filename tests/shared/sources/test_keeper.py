from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.formats.capability_index import read_index
from shared.model.kept import Kept, Validators
from shared.model.registration import Registration
from shared.model.settled import Settled
from shared.model.status import Status
from shared.problems import StorageUnavailable
from shared.sources.keeper import Keeper
from shared.sources.source import Source
from shared.storage.files import FilesEngine
from shared.tally import Tally
from tests.builders import Hands, capability, index, registration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.clock import Clock
    from shared.model.memory import Record

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)


class Volume:
    """The disk below a keeper: tells what was written, and refuses as often as the test says."""

    def __init__(self, folder: Path) -> None:
        self.engine = FilesEngine(folder, Hands().clock(), Tally())
        self.holdings = self.engine.holdings
        self.holdings.make()
        self.shelves, self.journal = self.holdings._shelves, self.holdings._journal
        self.calls: list[str] = []
        self.refusals = 0

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Come between the keeper and the disk."""
        for name, owner in (("sync", self.shelves), ("save", self.journal)):
            monkeypatch.setattr(owner, name, self._noted(name, getattr(owner, name)))

    def _noted(self, name: str, act: object) -> object:
        def noted(*args: object) -> None:
            self.calls.append(name)
            if self.refusals:
                self.refusals -= 1
                raise StorageUnavailable("No.")
            act(*args)  # type: ignore[operator]

        return noted


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Volume:
    made = Volume(tmp_path)
    made.watch(monkeypatch)
    return made


@pytest.fixture
def keeper(volume: Volume, hands: Hands) -> Keeper:
    return Keeper({"state-hub": Source(ROW)}, volume.engine, hands.running(scheduled=True))


async def until(true: Callable[[], object]) -> None:
    """Return when *true* holds; fail after 5 s."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for happens on the disk, which sets no event
            await asyncio.sleep(0.005)


async def test_writes_only_what_changed(keeper: Keeper, volume: Volume) -> None:
    await keeper.save()
    keeper.note()
    await keeper.save()
    await keeper.save()

    assert volume.calls == ["sync", "save"]
    assert [*volume.journal.load().records] == ["state-hub"]


CONTENT = read_index(index(capability(1)), ROW.repo)


async def settled(keeper: Keeper, volume: Volume, *, state: bool = False, content: bool = False) -> None:
    """Settle a check that brought another *state* than was written, or *content*, and note it."""
    source = keeper._sources[ROW.repo]
    source.status = replace(source.status, state="fresh" if state else source.status.state)
    kept = Kept(ROW.url, Validators(), "2026-11-23T10:00:00Z", CONTENT)
    ended = Settled("changed", source.record(Hands().clock()), kept, None, "good" if content else None)
    assert await volume.holdings.settle(ended, lambda: True)
    keeper.note(state=state)


@pytest.mark.parametrize(
    ("brought", "calls"),
    [
        pytest.param({}, [], id="a mere check may wait"),
        pytest.param({"content": True}, ["sync"], id="content lies in its own file"),
        pytest.param({"state": True}, ["sync", "save"], id="a state is written"),
    ],
)
async def test_secures_what_the_index_says(
    keeper: Keeper, volume: Volume, brought: dict[str, bool], calls: list[str]
) -> None:
    keeper.note()
    await keeper.save()
    volume.calls.clear()
    await settled(keeper, volume, **brought)
    await keeper.secure()
    await keeper.secure()

    assert volume.calls == calls


@pytest.mark.parametrize("brought", [{"content": True}, {"state": True}], ids=["content", "state"])
async def test_what_could_not_be_written_is_written_the_next_time(
    keeper: Keeper, volume: Volume, brought: dict[str, bool]
) -> None:
    keeper.note()
    await keeper.save()
    volume.calls.clear()
    volume.refusals = 1
    await settled(keeper, volume, **brought)

    with pytest.raises(StorageUnavailable):
        await keeper.secure()
    await keeper.secure()
    await keeper.save()

    assert volume.calls == ["sync", "sync", "save"]
    assert [*volume.journal.load().records] == ["state-hub"]


async def test_a_caller_who_goes_breaks_no_write_off(keeper: Keeper, volume: Volume) -> None:
    keeper.note(state=True)
    leaving = asyncio.create_task(keeper.save())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)

    await keeper.secure()

    assert volume.calls == ["sync", "save"]


async def test_a_quiet_hub_writes_once_an_hour_for_how_long_it_has_run(
    keeper: Keeper, volume: Volume, hands: Hands
) -> None:
    hands.advance(3599)
    await keeper.save()
    assert volume.calls == []

    hands.advance(1)
    await keeper.save()
    hands.advance(10)
    await keeper.save()

    assert volume.calls == ["sync", "save"]
    assert volume.journal.load()[:2] == (3600, 3600)


async def test_closing_writes_for_how_long_the_hub_has_run(
    keeper: Keeper, volume: Volume, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    hands.advance(50)
    await keeper.close()
    assert volume.journal.load()[:2] == (50, 50)

    hands.advance(50)
    volume.refusals = 1
    await keeper.close()

    assert volume.journal.load()[:2] == (50, 50)
    assert "saving the states of the sources: No." in caplog.text


@pytest.mark.parametrize("fault", [StorageUnavailable("No."), ZeroDivisionError()], ids=["a full disk", "unforeseen"])
async def test_states_are_written_every_few_seconds_whatever_goes_wrong(
    volume: Volume, fault: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper({"state-hub": Source(ROW)}, volume.engine, Hands().running(), save_seconds=0.001)

    def refuse() -> None:
        refused.append(fault)
        raise fault

    refused: list[Exception] = []
    with monkeypatch.context() as refusing:
        refusing.setattr(volume.shelves, "sync", refuse)
        keeper.note()
        running = asyncio.create_task(keeper.run())
        await until(lambda: len(refused) > 1)

    await until(lambda: volume.journal.load().records)

    assert not running.done()
    assert "saving the states of the sources" in caplog.text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_loop_goes_on_between_slices_and_what_changes_meanwhile_is_written_next(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = {f"r{number}": Source(replace(ROW, repo=f"r{number}")) for number in range(4)}
    keeper = Keeper(sources, volume.engine, Hands().running(), at_once=2)
    seen: list[str] = []
    record = Source.record

    def watched(source: Source, clock: Clock) -> Record:
        if source.registration.repo == "r2":
            seen.append("the second slice")
        return record(source, clock)

    async def change_the_first() -> None:
        seen.append("another task")
        sources["r0"].status = Status(state="failed")
        keeper.note(state=True)

    monkeypatch.setattr(Source, "record", watched)
    keeper.note(state=True)
    saving = asyncio.create_task(keeper.save())
    await asyncio.sleep(0)
    await asyncio.gather(saving, change_the_first())
    before = volume.journal.load().records["r0"].status.state
    await keeper.secure()

    assert seen == ["another task", "the second slice", "the second slice"]
    assert (before, volume.journal.load().records["r0"].status.state) == ("never", "failed")
