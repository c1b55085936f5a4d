from __future__ import annotations

import asyncio
import contextlib
import gc
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

import shared.federation as module
from shared.federation import GATHER_SECONDS, Federation
from shared.federation.document import Form, substance
from shared.model.compose import compose
from shared.model.lines import Delta
from shared.parameters import JSON
from shared.problems import SerialGone, StartError, StorageUnavailable
from shared.signals import EditionNotice, Signal, SourceNotice
from shared.storage.files import editions
from shared.storage.files.editions import FileEditions
from shared.tally import Tally
from tests.builders import Hands, capability
from tests.shared.sharing import part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from shared.federation import Edition
    from shared.model.compose import Composition, Part
    from shared.sources import Sources


class Shares:
    """Sources whose shares the test lays down by hand."""

    def __init__(self, *shares: Part) -> None:
        self.signal = Signal[SourceNotice]()
        self.shares = list(shares)
        self.idle = asyncio.Event()
        self.saved = 0
        self.refusing: Exception | None = None

    @property
    def shares(self) -> list[Part]:
        """The shares; laying down others is a change that is told."""
        return self._shares

    @shares.setter
    def shares(self, shares: list[Part]) -> None:
        self._shares = shares
        self.signal.send(SourceNotice("ours", indexed=True))

    def parts(self) -> list[Part]:
        """Return the shares as they lie."""
        return list(self.shares)

    async def secure(self) -> None:
        """Take a moment, and refuse where the test says so."""
        self.saved += 1
        await asyncio.sleep(0)
        if self.refusing:
            raise self.refusing


@pytest.fixture
def shares() -> Shares:
    return Shares(part("ours", capability(1)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "federated.json"


def opened(
    path: Path,
    shares: Shares,
    hands: Hands | None = None,
    *,
    gather_seconds: tuple[float, float] = GATHER_SECONDS,
    heard: list[EditionNotice] | None = None,
) -> Federation:
    """Return the federation that a start would open, ready to serve; *heard* gets what it tells."""
    clock, sources = (hands or Hands()).clock(), cast("Sources", shares)
    federation = Federation(FileEditions(path.parent), sources, clock, Tally(), gather_seconds)
    shares.signal.subscribe("the federation", federation.on_source)
    federation.signal.subscribe("heard", (heard if heard is not None else []).append)
    federation.begin()
    return federation


def names(federation: Federation) -> list[str]:
    """Return the names of the capabilities that are served."""
    document = json.loads(federation.document.representations[Form(JSON, "identity")].body)
    return [entry["name"] for entry in document["capabilities"]]


def test_the_first_start_serves_the_first_serial(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)

    assert (federation.document.serial, names(federation)) == (1, ["Example 1"])
    assert json.loads(path.read_bytes())["serial"] == 1


def test_a_start_composes_once_though_it_gives_a_serial(
    path: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed, digested = list[int](), list[int]()

    def composing(parts: Sequence[Part]) -> Composition:
        composed.append(len(parts))
        return compose(parts)

    def digesting(composition: Composition) -> str:
        digested.append(len(composition.entries))
        return substance(composition)

    opened(path, shares)
    shares.shares = [part("ours", capability(2))]
    monkeypatch.setattr(module, "compose", composing)
    monkeypatch.setattr(module, "substance", digesting)

    federation = opened(path, shares)

    assert (federation.document.serial, names(federation)) == (2, ["Example 2"])
    assert (composed, digested) == ([1], [1])


async def test_an_edition_is_told_to_all_who_listen_once_it_is_served(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)
    heard: list[tuple[Edition, Edition]] = []
    for name in ("first", "second"):
        federation.signal.subscribe(name, lambda change: heard.append((change.edition, federation.edition)))
    await federation.shown()
    assert heard == []
    shares.shares = [part("ours", capability(1)), part("theirs", capability(1))]

    await federation.shown()

    served = federation.edition
    assert served.document.serial == 2
    assert heard == [(served, served)] * 2
    assert served.parts == shares.shares
    assert [conflict["id"] for conflict in served.composition.conflicts] == [capability(1)["id"]]


async def test_one_who_fails_when_told_keeps_the_next_edition_from_nobody(
    path: Path, shares: Shares, caplog: pytest.LogCaptureFixture
) -> None:
    federation = opened(path, shares)
    heard: list[int] = []
    federation.signal.subscribe("one", lambda _: heard.remove(7))
    federation.signal.subscribe("another", lambda _: heard.append(federation.document.serial))
    shares.shares = []

    assert (await federation.shown()).serial == 2

    assert heard == [2]
    assert "telling one of serial 2 failed: ValueError" in caplog.text


async def test_an_edition_is_told_with_what_it_changed_by_name(path: Path, shares: Shares) -> None:
    federation, heard = opened(path, shares), list[EditionNotice]()
    federation.signal.subscribe("test", heard.append)
    shares.shares = [part("ours", capability(1, note="other"), capability(2))]
    await federation.shown()
    shares.shares = [part("theirs", capability(1))]
    await federation.shown()

    one, two = capability(1)["id"], capability(2)["id"]
    assert [change.edition.document.serial for change in heard] == [2, 3]
    assert [change.delta for change in heard] == [
        Delta({"ours": True}, {"ours": {one: True, two: True}}),
        Delta({"ours": False, "theirs": True}, {"ours": {one: False, two: False}, "theirs": {one: True}}),
    ]
    assert [line.delta for line in federation.changes.since(1)] == [change.delta for change in heard]


async def test_what_a_start_gives_a_serial_is_told_too(path: Path, shares: Shares) -> None:
    heard = list[EditionNotice]()

    first = opened(path, shares, heard=heard)
    opened(path, shares, heard=heard)
    shares.shares = []
    second = opened(path, shares, heard=heard)

    assert [change.edition for change in heard] == [first.edition, second.edition]
    assert [change.edition.document.serial for change in heard] == [1, 2]
    # What was served before the second is not here to be compared with.
    assert [change.delta for change in heard] == [Delta({"ours": True}, {"ours": {capability(1)["id"]: True}}), None]


async def test_a_change_that_the_index_says_nothing_of_makes_no_composition(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)

    shares.signal.send(SourceNotice("ours", indexed=False))
    await federation.shown()
    shares.signal.send(SourceNotice("ours", indexed=True))
    await federation.shown()

    assert (federation.document.serial, shares.saved) == (1, 1)


async def test_a_turn_that_was_broken_off_while_it_waited_keeps_no_other_from_its_own(
    path: Path, shares: Shares
) -> None:
    federation = opened(path, shares)
    shares.shares = []
    async with federation._editions.turn():
        first = asyncio.create_task(federation.shown())
        await asyncio.sleep(0)
        turn = federation._turn
        assert turn is not None
        await asyncio.sleep(0)
        turn.cancel()
        await asyncio.gather(first, return_exceptions=True)

    assert (await federation.shown()).serial == 2


async def test_a_change_that_was_taken_up_before_a_fault_is_not_lost(
    path: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = opened(path, shares)
    shares.shares = []
    with monkeypatch.context() as broken:
        broken.setattr(federation, "_gather", None)
        with pytest.raises(TypeError):
            await federation.follow()

    task = asyncio.create_task(federation.follow())

    await serial_becomes(federation, 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_change_makes_the_next_serial_and_none_makes_none(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)
    same = await federation.shown()
    shares.shares = [part("ours", capability(2))]

    after = await federation.shown()

    assert (same.serial, after.serial) == (1, 2)
    assert names(federation) == ["Example 2"]
    assert shares.saved == 1


async def test_a_restart_serves_the_same_document(path: Path, shares: Shares) -> None:
    hands = Hands()
    before = opened(path, shares, hands).document
    hands.advance(3600)

    after = opened(path, shares, hands).document
    assert after.representations == before.representations
    assert (after.serial, after.tag) == (before.serial, before.tag)


def test_a_restart_after_a_change_serves_the_next_serial(path: Path, shares: Shares) -> None:
    opened(path, shares)
    shares.shares = []

    federation = opened(path, shares)

    assert (federation.document.serial, names(federation)) == (2, [])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 9}', b'{"format": 1, "serial": "x"}'])
def test_a_damaged_file_stops_the_start_and_stays(path: Path, shares: Shares, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(StartError, match=r"federated\.json"):
        opened(path, shares)
    assert path.read_bytes() == content


async def test_those_who_come_together_share_a_turn(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)
    shares.shares = [part("ours", capability(2))]

    documents = await asyncio.gather(*(federation.shown() for _ in range(5)))

    assert {document.serial for document in documents} == {2}
    assert shares.saved == 1


async def test_who_comes_during_a_turn_sees_what_came_before_the_call(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)
    shares.shares = [part("ours", capability(2))]
    first = asyncio.create_task(federation.shown())
    while not shares.saved:  # noqa: ASYNC110 - what is waited for tells nobody
        await asyncio.sleep(0)
    shares.shares = [part("ours", capability(3))]

    await federation.shown()

    assert names(federation) == ["Example 3"]
    assert (await first).serial in {2, 3}


async def test_what_cannot_be_written_is_not_served(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)
    shares.shares, shares.refusing = [], StorageUnavailable("No.")

    with pytest.raises(StorageUnavailable):
        await federation.shown()
    assert (federation.document.serial, names(federation)) == (1, ["Example 1"])

    shares.refusing = None
    assert (await federation.shown()).serial == 2


@pytest.fixture
async def following(path: Path, shares: Shares) -> AsyncIterator[tuple[Federation, asyncio.Task[None]]]:
    """A federation that follows its sources, at a pace for tests."""
    federation = opened(path, shares, gather_seconds=(0.001, 0.001))
    task = asyncio.create_task(federation.follow())
    yield federation, task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def serial_becomes(federation: Federation, serial: int) -> None:
    """Return when *serial* is served; fail after 5 s."""
    async with asyncio.timeout(5):
        while federation.document.serial != serial:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)


async def test_follows_the_sources(following: tuple[Federation, asyncio.Task[None]], shares: Shares) -> None:
    shares.shares = []

    await serial_becomes(following[0], 2)


async def test_composes_at_once_when_no_check_is_left_that_could_bring_more(path: Path, shares: Shares) -> None:
    federation = opened(path, shares, gather_seconds=(60, 60))
    task = asyncio.create_task(federation.follow())
    shares.shares = []
    await asyncio.sleep(0.01)
    gathering = federation.document.serial, federation.idle

    shares.idle.set()
    await serial_becomes(federation, 2)
    shares.shares = [part("ours", capability(2))]
    await serial_becomes(federation, 3)

    assert gathering == (1, False)
    assert federation.idle
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_rests_between_two_compositions_even_when_no_check_is_under_way(
    path: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, slept = Hands(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def secure() -> None:
        hands.advance(0.25)

    federation = opened(path, shares, hands)
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep}))
    monkeypatch.setattr(shares, "secure", secure)
    shares.idle.set()
    task = asyncio.create_task(federation.follow())
    for number in (2, 3):
        shares.shares = [part("ours", capability(number))]
        await serial_becomes(federation, number)
    # Until it has seen how long that took, and waits for changes again.
    for _ in range(20):
        await asyncio.sleep(0)
    hands.advance(0.4)
    shares.shares = []
    await serial_becomes(federation, 4)

    # A composition takes a quarter of a second here, so that half a second lies between two of them.
    assert slept == pytest.approx([0, 0.5, 0.1])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_changes_while_changes_are_gathered_is_composed_with_them_and_costs_no_rest(
    path: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, slept = Hands(), list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 1:
            shares.shares = [part("ours", capability(3))]

    async def secure() -> None:
        hands.advance(0.25)

    federation = opened(path, shares, hands)
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep}))
    monkeypatch.setattr(shares, "secure", secure)
    shares.idle.set()
    task = asyncio.create_task(federation.follow())
    shares.shares = [part("ours", capability(2))]
    await serial_becomes(federation, 2)
    assert names(federation) == ["Example 3"]
    for _ in range(20):
        await asyncio.sleep(0)
    shares.shares = []
    await serial_becomes(federation, 3)

    # One composition of a quarter of a second for both, and twice that until the next.
    assert slept == pytest.approx([0, 0.5])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_changes_during_a_turn_is_followed_after_it(
    following: tuple[Federation, asyncio.Task[None]], shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure, late = shares.secure, [[part("ours", capability(3))]]

    async def change() -> None:
        await secure()
        if late:
            shares.shares = late.pop()

    monkeypatch.setattr(shares, "secure", change)
    shares.shares = [part("ours", capability(2))]

    await serial_becomes(following[0], 3)

    assert names(following[0]) == ["Example 3"]


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        pytest.param(StorageUnavailable("No."), "composing failed: No.", id="a problem"),
        pytest.param(RuntimeError("spilt"), "RuntimeError: spilt", id="what nobody foresaw"),
    ],
)
async def test_follows_on_after_a_fault(
    following: tuple[Federation, asyncio.Task[None]],
    shares: Shares,
    caplog: pytest.LogCaptureFixture,
    fault: Exception,
    text: str,
) -> None:
    shares.shares, shares.refusing = [], fault
    async with asyncio.timeout(5):
        while text not in caplog.text:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.001)
    assert not following[1].done()

    shares.refusing = None

    await serial_becomes(following[0], 2)


async def test_takes_its_time_after_a_fault(
    path: Path, shares: Shares, caplog: pytest.LogCaptureFixture
) -> None:
    federation = opened(path, shares, gather_seconds=(0.001, 60))
    shares.shares, shares.refusing = [], StorageUnavailable("No.")

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(federation.follow(), 0.1)

    assert caplog.text.count("composing failed: No.") == 1


def since(federation: Federation, serial: int) -> list[int]:
    """Return the serials whose changes are told to a reader at *serial*."""
    return [line.serial for line in federation.changes.since(serial)]


async def test_the_changes_of_every_serial_are_known_after_a_restart(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)
    for number in (2, 3):
        shares.shares = [part("ours", capability(number))]
        await federation.shown()
    known = federation.changes.since(0)

    again = opened(path, shares)

    assert since(federation, 0) == [1, 2, 3]
    assert again.changes.since(0) == known


async def test_what_changed_while_nobody_watched_is_not_made_up(path: Path, shares: Shares) -> None:
    await opened(path, shares).shown()
    shares.shares = [part("ours", capability(2))]

    federation = opened(path, shares)

    assert since(federation, 2) == []
    with pytest.raises(SerialGone):
        federation.changes.since(1)
    shares.shares = []
    await federation.shown()
    assert since(federation, 2) == [3]
    assert since(opened(path, shares), 2) == [3]


async def test_a_crash_between_the_two_files_leaves_nothing_wrong(
    path: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = opened(path, shares)
    shares.shares = [part("ours", capability(2))]

    def full(*_: object, **__: object) -> None:
        raise StorageUnavailable("No.")

    with monkeypatch.context() as broken:
        broken.setattr(editions, "write_whole", full)
        with pytest.raises(StorageUnavailable):
            await federation.shown()
    assert (federation.document.serial, since(federation, 1)) == (1, [])
    crashed = opened(path, shares)

    # The next start finds the line of a serial that nobody has seen, and says something else under that number.
    assert (crashed.document.serial, names(crashed)) == (2, ["Example 2"])
    with pytest.raises(SerialGone):
        crashed.changes.since(1)


async def test_what_failed_once_is_told_once_it_works(path: Path, shares: Shares) -> None:
    federation = opened(path, shares)
    shares.shares, shares.refusing = [part("ours", capability(2))], StorageUnavailable("No.")
    with pytest.raises(StorageUnavailable):
        await federation.shown()
    shares.shares, shares.refusing = [part("ours", capability(3))], None

    await federation.shown()

    assert [*federation.changes.since(1)[0].delta.capabilities["ours"].items()] == [
        (capability(1)["id"], False),
        (capability(3)["id"], True),
    ]
    assert opened(path, shares).changes.since(1) == federation.changes.since(1)


@pytest.mark.parametrize("refusing", [False, True])
async def test_closing_waits_for_the_turn_under_way(path: Path, shares: Shares, *, refusing: bool) -> None:
    federation = opened(path, shares)
    shares.shares, shares.refusing = [], StorageUnavailable("No.") if refusing else None
    turn = asyncio.create_task(federation.shown())
    await asyncio.sleep(0)

    await federation.close()

    assert federation.document.serial == (1 if refusing else 2)
    await asyncio.gather(turn, return_exceptions=True)
    await federation.close()


async def test_a_turn_that_fails_after_all_who_waited_were_cancelled_leaves_nothing_in_the_log(
    path: Path, shares: Shares, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = opened(path, shares)
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    def fail(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(federation, "_next", fail)
    shares.shares = []
    async with federation._editions.turn():
        waiting = asyncio.create_task(federation.shown())
        await asyncio.sleep(0)
        turn = federation._turn
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert turn is not None
    await asyncio.wait([turn])
    del turn, waiting
    gc.collect()
    await asyncio.sleep(0)

    assert reports == []
