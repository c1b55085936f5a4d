from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.record import Record, RecordDetails
from shared.model.registration import Registration
from shared.model.source_update import SourceUpdate
from shared.model.status import Status
from shared.model.stored_content import HeldContent, StoredContent
from shared.problems import StartError, StorageUnavailable
from shared.storage.engine import RunningSeconds
from shared.storage.files.holdings import FileHoldings
from shared.tally import Tally
from tests.builders import capability, index, registration

if TYPE_CHECKING:
    from pathlib import Path

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)
KEPT, HELD = (
    StoredContent(ROW.url, Validators(), "2026-11-23T10:00:00Z", read_index(index(capability(number)), ROW.repo))
    for number in (1, 2)
)


def record(state: str = "fresh") -> Record:
    status = Status(state=state)  # type: ignore[arg-type]  # one of STATES
    return Record(ROW.repo, ROW.url, "", 1, status, RecordDetails())


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


LET_IN = SourceUpdate("changed", record(), KEPT, None, "good")
HOLD = SourceUpdate("held", record("held"), KEPT, HeldContent(HELD, None), "held")
ACCEPT = SourceUpdate("changed", record(), HELD, None, "good", drops_held=True)


@pytest.fixture
def tally() -> Tally:
    return Tally()


@pytest.fixture
def holdings(tmp_path: Path, tally: Tally) -> FileHoldings:
    made = FileHoldings(tmp_path, tally)
    made.make()
    return made


@pytest.fixture
def calls(holdings: FileHoldings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order."""
    noted: list[str] = []

    def watch(owner: Any, call: str, name: str) -> None:
        real = getattr(owner, call)

        def acting(*arguments: Any) -> Any:
            noted.append(name)
            return real(*arguments)

        monkeypatch.setattr(owner, call, acting)

    for place, folder in (("good", holdings._folders.good), ("held", holdings._folders.held)):
        for call in ("draft", "place", "drop", "discard"):
            watch(folder, call, f"{call} {place}")
    watch(holdings._folders, "sync", "sync")
    watch(holdings._records_file, "save", "save")
    return noted


async def test_content_is_placed_before_what_it_replaces_goes_and_both_before_the_state(
    holdings: FileHoldings, calls: list[str]
) -> None:
    for ended in (LET_IN, HOLD, ACCEPT):
        assert await holdings.settle(ended, lambda: True)
        await holdings.secure()

    assert calls == [
        *("draft good", "place good", "sync", "save"),
        *("draft held", "place held", "sync", "save"),
        *("draft good", "place good", "drop held", "sync", "save"),
    ]


async def test_content_without_another_state_costs_a_sync_and_a_mere_check_nothing(
    holdings: FileHoldings, calls: list[str]
) -> None:
    await holdings.settle(LET_IN, lambda: True)
    await holdings.secure()
    calls.clear()

    await holdings.settle(LET_IN, lambda: True)
    await holdings.secure()
    await holdings.settle(LET_IN._replace(writes=None), lambda: True)
    await holdings.secure()

    assert calls == ["draft good", "place good", "sync"]


async def test_a_draft_that_is_outdated_when_it_is_written_is_discarded(
    holdings: FileHoldings, calls: list[str], tmp_path: Path
) -> None:
    assert not await holdings.settle(LET_IN, lambda: False)

    assert calls == ["draft good", "discard good"]
    assert files(tmp_path) == []


@pytest.mark.parametrize("call", ["draft", "place"])
async def test_content_that_the_volume_refuses_changes_nothing_and_is_counted(
    holdings: FileHoldings, tally: Tally, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise StorageUnavailable("Full.", status=507)

    with monkeypatch.context() as full:
        full.setattr(holdings._folders.good, call, refuse)
        with pytest.raises(StorageUnavailable):
            await holdings.settle(LET_IN, lambda: True)
    assert (tally.writes["contents", "failed"], tally.failing) == (1, {"contents"})
    assert holdings.load([ROW]).sources[ROW.repo] == (None, None, None)

    await holdings.settle(LET_IN, lambda: True)

    assert (tally.writes["contents", "done"], tally.failing) == (1, set())


async def test_a_sync_that_failed_is_tried_again_with_the_states(
    holdings: FileHoldings, calls: list[str], tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    await holdings.settle(LET_IN, lambda: True)
    await holdings.secure()
    await holdings.settle(replace_content(), lambda: True)
    calls.clear()

    def refuse() -> None:
        raise StorageUnavailable("Read-only.")

    with monkeypatch.context() as refusing:
        refusing.setattr(holdings._folders, "sync", refuse)
        with pytest.raises(StorageUnavailable):
            await holdings.secure()
    assert tally.failing == {"states"}
    await holdings.secure()

    assert (calls, tally.failing) == (["sync", "save"], set())


def replace_content() -> SourceUpdate:
    """Return a check that brought other content and no other state."""
    return LET_IN._replace(good=replace(KEPT, content=HELD.content))


async def test_what_is_settled_while_the_records_are_written_is_written_next(
    holdings: FileHoldings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await holdings.settle(LET_IN, lambda: True)
    loop, save = asyncio.get_running_loop(), holdings._records_file.save

    def settled_meanwhile(saved: Any) -> None:
        monkeypatch.undo()
        asyncio.run_coroutine_threadsafe(holdings.settle(HOLD, lambda: True), loop).result(10)
        save(saved)

    monkeypatch.setattr(holdings._records_file, "save", settled_meanwhile)
    await holdings.secure()
    first = holdings._records_file.load().records[ROW.repo].status.state
    await holdings.secure()

    assert (first, holdings._records_file.load().records[ROW.repo].status.state) == ("fresh", "held")


async def test_a_record_that_is_forgotten_is_written_no_more(holdings: FileHoldings) -> None:
    await holdings.save_records([record(), record()._replace(repo="other")], RunningSeconds())
    holdings.forget(ROW.repo)
    await holdings.save_records([], RunningSeconds())

    assert [*holdings._records_file.load().records] == ["other"]


@pytest.mark.parametrize("name", ["sources.json", "content/state-hub.json", "held/state-hub.json"])
def test_a_bad_file_is_noticed_whether_it_is_loaded_or_only_looked_at(
    holdings: FileHoldings, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"{")

    for read in (holdings.load, holdings.must_be_readable):
        with pytest.raises(StartError):
            read([ROW])


def test_something_else_of_the_name_of_a_folder_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "held").write_bytes(b"")

    with pytest.raises(StartError, match="held can't be used"):
        FileHoldings(tmp_path, Tally()).must_be_usable()
