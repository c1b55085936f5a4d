from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.fetch import FetchBounds, Fetcher, TalkTime, Validators
from shared.fetch.guard import Guard
from shared.fetch.lanes import LIGHT, PROGRESS, Lanes, Widths
from shared.problems import SourceTimeout
from tests.builders import Hands
from tests.shared.fetch.hostile import answer, head, packed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.fetch.lanes import LanePlace
    from tests.shared.fetch.hostile import Behaviour, Hostile

WIDTHS = Widths(
    fast=4, slow=2, reserved=1, beside=1, patience=0.08, patience_with_strangers=0.04, turns=0, lull=0.0
)


class Street:
    """Lanes with some fetches on them, each a task; *order* is how they came in."""

    def __init__(self, widths: Widths = WIDTHS) -> None:
        self.lanes = Lanes(widths)
        self.order: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def enter(self, *names: str, reliable: bool = True, act: Callable[[LanePlace], None] | None = None) -> None:
        """Let fetches of these names come, each for the owner who is its first letter; they stay for good."""
        for name in names:
            self.tasks[name] = asyncio.create_task(self._stay(name, act, reliable=reliable))
        await asyncio.sleep(0)

    async def _stay(self, name: str, act: Callable[[LanePlace], None] | None, *, reliable: bool) -> None:
        async with self.lanes.place(reliable=reliable, talk=TalkTime(Hands().clock(), name[0])) as place:
            self.order.append(name)
            while True:
                await asyncio.sleep(0.005)
                if act:
                    act(place)

    async def leave(self, *names: str) -> None:
        """Let these fetches end."""
        for name in names:
            self.tasks[name].cancel()
        await asyncio.gather(*(self.tasks.pop(name) for name in names), return_exceptions=True)
        await asyncio.sleep(0)

    async def meet(self, *names: str) -> bool:
        """Tell whether all of *names* get in, soon."""
        for _ in range(200):
            if set(names) <= set(self.order):
                return True
            await asyncio.sleep(0.005)
        return False


@pytest.fixture(autouse=True)
async def jumps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the event loop's time jump to its next timer, so that nothing depends on how fast the machine is."""
    if "real_network" in request.fixturenames:
        return
    loop: Any = asyncio.get_running_loop()
    now, look = loop.time(), loop._selector.select

    def select(timeout: float | None) -> list[Any]:
        nonlocal now
        now += timeout or 0.0
        return list(look(timeout if timeout is None else 0))

    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr(loop._selector, "select", select)


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    made = Street()
    yield made
    await made.leave(*made.tasks)


def receives(place: LanePlace) -> None:
    place.received += PROGRESS


def drips(place: LanePlace) -> None:
    place.received += 1


async def test_so_many_go_at_a_time_and_the_next_in_turn(street: Street) -> None:
    await street.enter(*"abcdef", act=receives)
    assert street.order == [*"abcd"]

    await street.leave("b")
    assert street.order == [*"abcde"]
    await street.leave("f", "a")
    assert street.order == [*"abcde"], "one that gave up waiting takes no place"


async def test_strangers_leave_room_for_known_origins_and_let_them_go_first(street: Street) -> None:
    await street.enter(*"stuv", reliable=False, act=receives)
    assert street.order == [*"stu"]

    await street.enter(*"abc", act=receives)
    assert street.order == [*"stua"]
    await street.leave("s", "t")
    assert street.order == [*"stuabc"]
    await street.leave("u")
    assert street.order == [*"stuabcv"]


async def test_few_strangers_start_beside_known_origins(street: Street) -> None:
    await street.enter("a", act=receives)
    await street.enter(*"stuv", reliable=False, act=receives)
    assert street.order == [*"as"]

    await street.leave("s")
    assert street.order == [*"ast"]
    await street.leave("a")
    assert street.order == [*"astuv"]


async def test_beside_known_origins_strangers_start_in_turn_with_them() -> None:
    street = Street(replace(WIDTHS, turns=2, patience_with_strangers=60.0))
    await street.enter("a", act=receives)
    await street.enter(*"st", reliable=False, act=receives)
    assert street.order == [*"a"]

    await street.enter("b", act=receives)
    await street.leave("b")
    assert street.order == [*"abs"]
    await street.leave("s")
    assert street.order == [*"abs"], "two more come before the next"
    await street.leave(*street.tasks)


async def test_strangers_never_wait_for_known_origins_alone(street: Street) -> None:
    street.lanes = Lanes(replace(WIDTHS, turns=1000))
    await street.enter("a", act=receives)
    await street.enter("s", reliable=False, act=receives)
    assert street.order == [*"a"]

    assert await street.meet("s")


async def test_known_origins_that_never_end_keep_no_stranger_out() -> None:
    street = Street(replace(WIDTHS, fast=2, reserved=0, turns=2, patience_with_strangers=60.0))
    await street.enter(*"abcdef", act=receives)
    await street.enter("s", reliable=False, act=receives)

    for name in "ab":
        await street.leave(name)

    assert street.order == [*"absc"], "its turn came after two of the others, though more of them wait"
    await street.leave(*street.tasks)


@pytest.mark.parametrize("reliable", [True, False])
async def test_of_the_owners_who_wait_the_one_with_fewest_under_way_is_next(reliable: bool) -> None:
    street = Street(replace(WIDTHS, patience=60.0, patience_with_strangers=60.0))
    await street.enter("x1", "x2", "x3", "x4", "x5", "x6", "x7", reliable=reliable, act=receives)
    await street.enter("y1", "y2", "y3", "z1", reliable=reliable, act=receives)
    before = len(street.order)

    for name in ("x1", "x2"):
        await street.leave(name)

    assert street.order[before:] == ["y1", "z1"]
    await street.leave(*street.tasks)
    assert (street.lanes._under_way, street.lanes._waiting) == ({}, {True: {}, False: {}})


async def test_a_place_is_not_lost_when_memory_runs_out_as_it_is_given(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    await street.enter(*"abc", act=receives)
    with monkeypatch.context() as patch:
        patch.setattr(street.lanes, "_watch", out_of_memory)
        await street.enter("d")
    await street.leave("d")
    await street.enter(*"ef", act=receives)

    assert street.order == [*"abce"]
    await street.leave("a")
    assert street.order == [*"abcef"]


def out_of_memory() -> None:
    raise MemoryError


async def test_a_short_pause_of_known_origins_lets_no_crowd_in() -> None:
    street = Street(replace(WIDTHS, lull=60.0))
    await street.enter("a", act=receives)
    await street.leave("a")
    await street.enter(*"stu", reliable=False, act=receives)

    assert street.order == [*"as"]
    await street.leave(*street.tasks)


@pytest.mark.parametrize("act", [None, drips], ids=["nothing", "a drip"])
async def test_those_who_bring_next_to_nothing_make_way(
    street: Street, act: Callable[[LanePlace], None] | None
) -> None:
    await street.enter(*"ab", act=act)
    await street.enter(*"cdef", act=receives)
    assert street.order == [*"abcd"]

    assert await street.meet("e", "f")
    assert not any(task.done() for task in street.tasks.values()), "they go on"


async def test_nobody_makes_way_when_nobody_waits(street: Street) -> None:
    await street.enter(*"abcd")
    await asyncio.sleep(2 * WIDTHS.patience)

    assert len(street.lanes._fast) == 4


async def test_the_slow_lane_is_bounded_too(street: Street) -> None:
    await street.enter(*"abcd")
    await street.enter(*"efgh")

    assert await street.meet("e", "f")
    await asyncio.sleep(2 * WIDTHS.patience)
    assert street.order == [*"abcdef"]
    await street.leave("a")
    assert await street.meet("g")


async def test_strangers_are_given_less_time(street: Street) -> None:
    await street.enter("s", reliable=False)
    await street.enter(*"abc")

    await street.enter("next")

    assert await street.meet("next")
    assert {place.reliable for place in street.lanes._slow} == {False}
    await street.leave("s")
    assert street.lanes._slow == set()


async def test_one_cancelled_as_its_turn_comes_gives_the_place_on(street: Street) -> None:
    await street.enter(*"abcdef", act=receives)

    street.tasks["e"].cancel()
    street.tasks["a"].cancel()
    await asyncio.sleep(0.02)

    assert street.order == [*"abcdf"]
    assert len(street.lanes._fast) == 4


async def keep_late(street: Street, come: asyncio.Event, size: int) -> None:
    """Be fetched for the owner e, and keep *size* bytes of a document when they *come*."""
    talk = TalkTime(Hands().clock(), "e")
    async with street.lanes.place(reliable=True, talk=talk) as place, talk.running(60):
        street.order.append("late")
        await come.wait()
        await place.keep(size)
        street.order.append("kept")


async def late_in_the_slow_lane(street: Street, size: int) -> asyncio.Event:
    """Have a fetch hang in the slow lane, and others fill the fast one and wait; return what its document waits for."""
    come = asyncio.Event()
    street.tasks["late"] = asyncio.create_task(keep_late(street, come, size))
    await asyncio.sleep(0)
    await street.enter(*"abcd", act=receives)
    assert await street.meet("d")
    await street.enter("e", act=receives)
    assert street.order == ["late", *"abcd"]
    return come


async def test_a_document_that_comes_late_is_kept_in_the_fast_lane(street: Street) -> None:
    come = await late_in_the_slow_lane(street, LIGHT + 1)
    come.set()
    await asyncio.sleep(2 * WIDTHS.patience)
    assert street.order == ["late", *"abcd"]
    assert len(street.lanes._slow) == 1, "it keeps its place there as long as it waits"

    await street.leave("a")
    assert await street.meet("e")

    assert street.order == ["late", *"abcd", "kept", "e"]
    assert street.lanes._slow == set()


async def test_a_small_one_is_kept_in_the_slow_lane(street: Street) -> None:
    come = await late_in_the_slow_lane(street, LIGHT)
    come.set()

    assert await street.meet("kept")
    assert street.order == ["late", *"abcd", "kept"]


async def test_one_that_gives_up_as_its_document_comes_leaves_nothing(street: Street) -> None:
    come = await late_in_the_slow_lane(street, LIGHT + 1)
    come.set()
    await asyncio.sleep(0)
    await street.leave("late")
    assert (street.lanes._slow, len(street.lanes._waiting[True])) == (set(), 1)

    await street.leave("a")
    assert street.order == ["late", *"abcd", "e"]


async def stop(street: Street, name: str, brings: int) -> None:
    """Be fetched for the owner who is the first letter of *name*, and stop, or bring a little, within a document."""
    async with street.lanes.place(reliable=True, talk=TalkTime(Hands().clock(), name[0])) as place:
        await place.keep(LIGHT + 1)
        street.order.append(name)
        while True:
            await asyncio.sleep(0.005)
            place.received += brings


@pytest.mark.parametrize(
    ("stopped", "ended"),
    [
        pytest.param({"x1": 1, "x2": 0, "y1": 0}, "x2", id="of the owner with most, who brings least"),
        pytest.param({"y1": 0, "x1": 0, "x2": 1}, "x1", id="not the only one of another owner"),
        pytest.param({"x1": 1, "x2": 1, "x3": 0}, "x3", id="the one that has just stopped"),
    ],
)
async def test_few_that_stop_in_the_middle_of_a_document_wait_with_what_came(
    stopped: dict[str, int], ended: str
) -> None:
    street = Street(replace(WIDTHS, fast=1, slow=9, heavy=2))
    for name, brings in stopped.items():
        street.tasks[name] = asyncio.create_task(stop(street, name, brings))
        assert await street.meet(name)
    await street.enter("next", act=receives)

    assert await street.meet("next")
    [over] = await asyncio.gather(street.tasks.pop(ended), return_exceptions=True)

    assert isinstance(over, SourceTimeout)
    assert "stopped sending in the middle of its document" in over.detail
    assert (len(street.lanes._heavy), len(street.lanes._slow)) == (2, 2)
    await street.leave(*street.tasks)
    assert (street.lanes._heavy, street.lanes._slow) == ({}, set())


async def test_no_more_documents_end_than_others_wait_for_a_place() -> None:
    street = Street(replace(WIDTHS, fast=3, slow=9, heavy=1))
    stopped = ("x1", "x2", "y1")
    for name in stopped:
        street.tasks[name] = asyncio.create_task(stop(street, name, 0))
        assert await street.meet(name)
    await asyncio.sleep(2 * WIDTHS.patience)
    ended = []

    for name in ("a", "b", "c"):
        await street.enter(name, act=receives)
        assert await street.meet(name)
        await asyncio.sleep(2 * WIDTHS.patience)
        ended.append(sum(street.tasks[one].done() for one in stopped))

    assert ended == [0, 1, 2]
    await street.leave(*street.tasks)


@pytest.mark.usefixtures("real_network")
async def test_many_documents_that_stop_in_the_middle_take_little_memory(source: Hostile) -> None:
    widths = Widths(2, 9, 0, 2, 0.05, 0.05, heavy=1)
    fetcher = Fetcher(Guard(["127.0.0.0/8"]), "tests", FetchBounds(total_seconds=30, widths=widths))
    document = b"#" * 200_000
    source.at("/stops", answer(body=document, length=300_000))
    come = asyncio.Event()
    source.at("/late", comes_late(packed(document), come))

    reads = asyncio.create_task(fetcher.fetch(source.url("/late", "127.0.1.1"), Validators()))
    await until(lambda: source.open > 0)
    urls = [source.url("/stops", f"127.0.2.{number}") for number in range(7)]
    stopped = [asyncio.create_task(fetcher.fetch(url, Validators())) for url in urls]
    await until(lambda: sum(task.done() for task in stopped) == 4)
    lanes = fetcher._lanes
    # The document has not come yet: what waits for it is in the slow lane, beside the one part of a document.
    assert (len(lanes._fast), len(lanes._slow), len(lanes._heavy)) == (2, 2, 1)
    come.set()
    fetched = await reads
    await until(lambda: sum(task.done() for task in stopped) == 5)

    assert fetched.body == document
    assert (len(lanes._fast), len(lanes._slow), len(lanes._heavy)) == (1, 1, 1)
    assert {type(task.exception()) for task in stopped if task.done()} == {SourceTimeout}
    for task in stopped:
        task.cancel()
    await asyncio.gather(*stopped, return_exceptions=True)
    await fetcher.close()


def comes_late(zipped: bytes, come: asyncio.Event) -> Behaviour:
    """Send the head of an answer, and the document that it announces when it is to *come*."""

    async def behave(writer: asyncio.StreamWriter, _: dict[str, str]) -> None:
        writer.write(head(Content_Encoding="gzip", Content_Length=f"{len(zipped)}"))
        await come.wait()
        writer.write(zipped)

    return behave


async def until(true: Callable[[], bool]) -> None:
    """Return as soon as it is *true*."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)
