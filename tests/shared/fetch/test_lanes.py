from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.fetch.lanes import PROGRESS, Lanes, Widths

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.fetch.lanes import Place

WIDTHS = Widths(
    fast=4, slow=2, reserved=1, beside=1, patience=0.08, patience_with_strangers=0.04, turns=0, lull=0.0
)


class Street:
    """Lanes with some fetches on them, each a task; *order* is how they came in."""

    def __init__(self, widths: Widths = WIDTHS) -> None:
        self.lanes = Lanes(widths)
        self.order: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def enter(self, *names: str, known: bool = True, act: Callable[[Place], None] | None = None) -> None:
        """Let fetches of these names come; they stay for good."""
        for name in names:
            self.tasks[name] = asyncio.create_task(self._stay(name, act, known=known))
        await asyncio.sleep(0)

    async def _stay(self, name: str, act: Callable[[Place], None] | None, *, known: bool) -> None:
        async with self.lanes.place(known=known) as place:
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


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    made = Street()
    yield made
    await made.leave(*made.tasks)


def receives(place: Place) -> None:
    place.received += PROGRESS


def drips(place: Place) -> None:
    place.received += 1


async def test_so_many_go_at_a_time_and_the_next_in_turn(street: Street) -> None:
    await street.enter(*"abcdef", act=receives)
    assert street.order == [*"abcd"]

    await street.leave("b")
    assert street.order == [*"abcde"]
    await street.leave("f", "a")
    assert street.order == [*"abcde"], "one that gave up waiting takes no place"


async def test_strangers_leave_room_for_known_origins_and_let_them_go_first(street: Street) -> None:
    await street.enter(*"stuv", known=False, act=receives)
    assert street.order == [*"stu"]

    await street.enter(*"abc", act=receives)
    assert street.order == [*"stua"]
    await street.leave("s", "t")
    assert street.order == [*"stuabc"]
    await street.leave("u")
    assert street.order == [*"stuabcv"]


async def test_few_strangers_start_beside_known_origins(street: Street) -> None:
    await street.enter("a", act=receives)
    await street.enter(*"stuv", known=False, act=receives)
    assert street.order == [*"as"]

    await street.leave("s")
    assert street.order == [*"ast"]
    await street.leave("a")
    assert street.order == [*"astuv"]


async def test_beside_known_origins_strangers_start_in_turn_with_them() -> None:
    street = Street(replace(WIDTHS, turns=2, patience_with_strangers=60.0))
    await street.enter("a", act=receives)
    await street.enter(*"st", known=False, act=receives)
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
    await street.enter("s", known=False, act=receives)
    assert street.order == [*"a"]

    assert await street.meet("s")


async def test_a_short_pause_of_known_origins_lets_no_crowd_in() -> None:
    street = Street(replace(WIDTHS, lull=60.0))
    await street.enter("a", act=receives)
    await street.leave("a")
    await street.enter(*"stu", known=False, act=receives)

    assert street.order == [*"as"]
    await street.leave(*street.tasks)


@pytest.mark.parametrize("act", [None, drips], ids=["nothing", "a drip"])
async def test_those_who_bring_next_to_nothing_make_way(street: Street, act: Callable[[Place], None] | None) -> None:
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
    await street.enter("s", known=False)
    await street.enter(*"abc")

    await street.enter("next")

    assert await street.meet("next")
    assert {place.known for place in street.lanes._slow} == {False}
    await street.leave("s")
    assert street.lanes._slow == set()


async def test_one_cancelled_as_its_turn_comes_gives_the_place_on(street: Street) -> None:
    await street.enter(*"abcdef", act=receives)

    street.tasks["e"].cancel()
    street.tasks["a"].cancel()
    await asyncio.sleep(0.02)

    assert street.order == [*"abcdf"]
    assert len(street.lanes._fast) == 4
