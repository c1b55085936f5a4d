from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from shared.problems import StorageUnavailable
from shared.registration import Registration
from shared.sources.journal import Journal
from shared.sources.keeper import Keeper
from shared.sources.shelf import Shelves
from shared.sources.source import Source
from shared.tally import Tally
from tests.builders import Hands, registration

if TYPE_CHECKING:
    from pathlib import Path

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)


class Volume:
    """The disk below a keeper: tells what was written, and refuses as often as the test says."""

    def __init__(self, folder: Path) -> None:
        self.shelves, self.journal = Shelves(folder), Journal(folder / "sources.json")
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
def keeper(volume: Volume) -> Keeper:
    return Keeper({"state-hub": Source(ROW)}, volume.shelves, volume.journal, Hands().running(), Tally())


async def test_writes_only_what_changed(keeper: Keeper, volume: Volume) -> None:
    await keeper.save()
    keeper.note()
    await keeper.save()
    await keeper.save()

    assert volume.calls == ["sync", "save"]
    assert [*volume.journal.load().records] == ["state-hub"]


@pytest.mark.parametrize(
    ("noted", "calls"),
    [
        pytest.param({}, [], id="a mere check may wait"),
        pytest.param({"content": True}, ["sync"], id="content lies in its own file"),
        pytest.param({"state": True}, ["sync", "save"], id="a state is written"),
    ],
)
async def test_secures_what_the_index_says(
    keeper: Keeper, volume: Volume, noted: dict[str, bool], calls: list[str]
) -> None:
    keeper.note(**noted)
    await keeper.secure()
    await keeper.secure()

    assert volume.calls == calls


@pytest.mark.parametrize("noted", [{"content": True}, {"state": True}], ids=["content", "state"])
async def test_what_could_not_be_written_is_written_the_next_time(
    keeper: Keeper, volume: Volume, noted: dict[str, bool]
) -> None:
    volume.refusals = 1
    keeper.note(**noted)

    with pytest.raises(StorageUnavailable):
        await keeper.secure()
    await keeper.secure()
    await keeper.save()

    assert volume.calls[0] == volume.calls[1] == "sync"
    assert [*volume.journal.load().records] == ["state-hub"]


async def test_a_caller_who_goes_breaks_no_write_off(keeper: Keeper, volume: Volume) -> None:
    keeper.note(state=True)
    leaving = asyncio.create_task(keeper.save())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)

    await keeper.secure()

    assert volume.calls == ["sync", "save"]
