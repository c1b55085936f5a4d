from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.formats.capability_index import read_index
from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.model.source_update import SourceUpdate
from shared.model.status import Status
from shared.model.stored_content import StoredContent, Validators
from shared.problems import StorageUnavailable
from shared.sources.hosts import Hosts
from shared.sources.record_saver import RecordSaver
from shared.sources.room import ContentRoom
from shared.sources.source import Source
from shared.sources.table import SourceTable
from shared.storage.files import FilesEngine
from shared.tally import Tally
from tests.builders import Hands, capability, index, registration

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.clock import RunningTime
    from shared.model.record import Record

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
NOW = "2026-11-23T10:00:00Z"


class Volume:
    """The disk below a record_saver: tells what was written, and refuses as often as the test says."""

    def __init__(self, folder: Path) -> None:
        self.engine = FilesEngine(folder, Hands().clock(), Tally())
        self.holdings = self.engine.holdings
        self.holdings.make()
        self.folders, self.records_file = self.holdings._folders, self.holdings._records_file
        self.calls: list[str] = []
        self.refusals = 0

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Come between the record_saver and the disk."""
        for name, owner in (("sync", self.folders), ("save", self.records_file)):
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


def kept_of(number: int) -> StoredContent:
    return StoredContent(ROW.url, Validators(), NOW, read_index(index(capability(number)), ROW.repo))


def table_of(time: RunningTime, *repos: str) -> SourceTable:
    """Return the table of so many sources that were read and are fresh."""
    table = SourceTable(Hosts(), ContentRoom(100, 64), time, 86400)
    for repo in repos:
        table.add(SourceView(replace(ROW, repo=repo), Status(checked_at=NOW), kept_of(1)), 0.0)
    return table


@pytest.fixture
def table(hands: Hands) -> SourceTable:
    return table_of(hands.running(scheduled=True), "state-hub")


@pytest.fixture
def record_saver(table: SourceTable, volume: Volume, hands: Hands) -> RecordSaver:
    return RecordSaver(table, volume.engine, hands.running(scheduled=True))


async def until(true: Callable[[], object]) -> None:
    """Return when *true* holds; fail after 5 s."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for happens on the disk, which sets no event
            await asyncio.sleep(0.005)


async def test_writes_only_what_changed(record_saver: RecordSaver, table: SourceTable, volume: Volume) -> None:
    await record_saver.save()
    table.note("state-hub")
    await record_saver.save()
    await record_saver.save()

    assert volume.calls == ["sync", "save"]
    assert [*volume.records_file.load().records] == ["state-hub"]


async def settled(table: SourceTable, volume: Volume, *, state: bool = False, content: bool = False) -> None:
    """Settle a check of the first source that brought another *state* than was written, or other *content*."""
    source = next(iter(table.all()))
    status = replace(source.status, error={"type": "source-timeout", "detail": "Late."} if state else None)
    record = replace(source.view, status=status).record(0.0)
    kept = kept_of(2) if content else source.view.last_good
    ended = SourceUpdate("failed" if state else "changed", record, kept, None, "good" if content else None)
    assert await volume.holdings.settle(ended, lambda: True)
    table.settle(source, ended)


@pytest.mark.parametrize(
    ("brought", "calls"),
    [
        pytest.param({}, [], id="a mere check may wait"),
        pytest.param({"content": True}, ["sync"], id="content lies in its own file"),
        pytest.param({"state": True}, ["sync", "save"], id="a state is written"),
    ],
)
async def test_secures_what_the_index_says(
    record_saver: RecordSaver, table: SourceTable, volume: Volume, brought: dict[str, bool], calls: list[str]
) -> None:
    table.note("state-hub")
    await record_saver.save()
    volume.calls.clear()
    await settled(table, volume, **brought)
    await record_saver.secure()
    await record_saver.secure()

    assert volume.calls == calls


@pytest.mark.parametrize("brought", [{"content": True}, {"state": True}], ids=["content", "state"])
async def test_what_could_not_be_written_is_written_the_next_time(
    record_saver: RecordSaver, table: SourceTable, volume: Volume, brought: dict[str, bool]
) -> None:
    table.note("state-hub")
    await record_saver.save()
    volume.calls.clear()
    volume.refusals = 1
    await settled(table, volume, **brought)

    with pytest.raises(StorageUnavailable):
        await record_saver.secure()
    await record_saver.secure()
    await record_saver.save()

    assert volume.calls == ["sync", "sync", "save"]
    assert [*volume.records_file.load().records] == ["state-hub"]


async def test_a_caller_who_goes_breaks_no_write_off(
    record_saver: RecordSaver, table: SourceTable, volume: Volume
) -> None:
    await settled(table, volume, state=True)
    leaving = asyncio.create_task(record_saver.save())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)

    await record_saver.secure()

    assert volume.calls == ["sync", "save"]


async def test_a_quiet_hub_writes_once_an_hour_for_how_long_it_has_run(
    record_saver: RecordSaver, volume: Volume, hands: Hands
) -> None:
    hands.advance(3599)
    await record_saver.save()
    assert volume.calls == []

    hands.advance(1)
    await record_saver.save()
    hands.advance(10)
    await record_saver.save()

    assert volume.calls == ["sync", "save"]
    assert volume.records_file.load()[:2] == (3600, 3600)


async def test_closing_writes_for_how_long_the_hub_has_run(
    record_saver: RecordSaver, volume: Volume, hands: Hands, caplog: pytest.LogCaptureFixture
) -> None:
    hands.advance(50)
    await record_saver.close()
    assert volume.records_file.load()[:2] == (50, 50)

    hands.advance(50)
    volume.refusals = 1
    await record_saver.close()

    assert volume.records_file.load()[:2] == (50, 50)
    assert "saving the states of the sources: No." in caplog.text


@pytest.mark.parametrize("fault", [StorageUnavailable("No."), ZeroDivisionError()], ids=["a full disk", "unforeseen"])
async def test_states_are_written_every_few_seconds_whatever_goes_wrong(
    table: SourceTable,
    volume: Volume,
    fault: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    record_saver = RecordSaver(table, volume.engine, Hands().running(), save_seconds=0.001)

    def refuse() -> None:
        refused.append(fault)
        raise fault

    refused: list[Exception] = []
    with monkeypatch.context() as refusing:
        refusing.setattr(volume.folders, "sync", refuse)
        table.note("state-hub")
        running = asyncio.create_task(record_saver.run())
        await until(lambda: len(refused) > 1)

    await until(lambda: volume.records_file.load().records)

    assert not running.done()
    assert "saving the states of the sources" in caplog.text
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_loop_goes_on_between_slices_and_what_changes_meanwhile_is_written_next(
    volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(Hands().running(), *(f"r{number}" for number in range(4)))
    record_saver = RecordSaver(table, volume.engine, Hands().running(), at_once=2)
    seen: list[str] = []
    record = Source.record

    def watched(source: Source, now: float) -> Record:
        if source.registration.repo == "r2":
            seen.append("the second slice")
        return record(source, now)

    async def change_the_first() -> None:
        seen.append("another task")
        await settled(table, volume, state=True)

    monkeypatch.setattr(Source, "record", watched)
    table.note("state-hub")
    saving = asyncio.create_task(record_saver.save())
    await asyncio.sleep(0)
    await asyncio.gather(saving, change_the_first())
    before = volume.records_file.load().records["r0"].status.state
    await record_saver.secure()

    assert seen == ["another task", "the second slice", "the second slice"]
    assert (before, volume.records_file.load().records["r0"].status.state) == ("fresh", "stale")


async def test_what_asks_for_a_write_while_one_runs_gets_another(
    record_saver: RecordSaver, table: SourceTable, volume: Volume, hands: Hands
) -> None:
    """A hub that is closed during a write still leaves for how long it has run."""
    table.note("state-hub")
    saving = asyncio.create_task(record_saver.save())
    await asyncio.sleep(0)
    hands.advance(50)
    await record_saver.close()
    await saving

    assert volume.records_file.load()[:2] == (50, 50)
