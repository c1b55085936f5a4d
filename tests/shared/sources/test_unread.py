from __future__ import annotations

import asyncio

import pytest

from shared.fetch import MAX_BYTES
from shared.sources.unread import UnreadDocuments


def test_one_owner_takes_half_and_all_of_them_the_whole() -> None:
    unread = UnreadDocuments(100)

    assert unread.take("a", 40)
    assert not unread.take("a", 11)
    assert unread.take("b", 50)
    assert not unread.take("c", 11)
    assert unread.take("c", 10)
    unread.give_back("b", 50)
    unread.give_back("a", 40)

    assert unread._bytes == {"c": 10}


def test_one_owner_has_room_for_six_of_the_largest_documents() -> None:
    unread = UnreadDocuments()

    assert [unread.take("a", MAX_BYTES) for _ in range(6)] == [True] * 6


def waiting(unread: UnreadDocuments, *names: str) -> tuple[list[str], list[asyncio.Task[None]]]:
    """Have somebody wait for each of *names*, whose first letter is the owner; return who came to it, and the tasks."""
    order = list[str]()

    async def wait(name: str) -> None:
        await unread.wait(name[0])
        order.append(name)

    return order, [asyncio.create_task(wait(name)) for name in names]


async def test_owners_take_turns_where_room_becomes_free() -> None:
    unread = UnreadDocuments(100)
    assert unread.take("x", 50)
    assert unread.take("y", 50)
    order, tasks = waiting(unread, "a1", "a2", "b1")
    await asyncio.sleep(0)
    for owner in "xy":
        unread.give_back(owner, 50)
    await asyncio.sleep(0)
    assert order == ["a1", "b1"]

    unread.give_back("b", 50)
    await asyncio.sleep(0)
    assert order == ["a1", "b1"]
    unread.give_back("a", 50)
    await asyncio.gather(*tasks)

    assert order == ["a1", "b1", "a2"]
    assert unread._lines == {}


async def test_two_owners_with_long_lines_keep_no_third_waiting() -> None:
    unread = UnreadDocuments(100)
    order, tasks = waiting(unread, "a1", "a2", "a3", "b1", "b2", "b3", "c1")
    await asyncio.sleep(0)
    assert unread._bytes == {"a": 50, "b": 50}

    for owner in "abacba":
        unread.give_back(owner, 50)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    assert order == ["a1", "b1", "a2", "b2", "c1", "a3", "b3"]
    assert unread._lines == {}


@pytest.mark.parametrize(("small", "its_own"), [("a", True), ("b", False)], ids=["its own", "another owner's"])
async def test_small_documents_that_keep_coming_hold_up_no_large_one(small: str, its_own: bool) -> None:
    unread = UnreadDocuments(100)
    assert unread.take("a", 40)
    assert its_own or unread.take("b", 40)
    order, tasks = waiting(unread, "a1" if its_own else "c1")
    await asyncio.sleep(0)

    assert not unread.take(small, 5)
    unread.give_back("a", 40)
    await asyncio.gather(*tasks)

    assert order == ["a1" if its_own else "c1"]
    assert unread.take("d", 5)


async def test_whoever_is_cancelled_keeps_no_bytes() -> None:
    unread = UnreadDocuments(100)
    assert unread.take("a", 50)
    order, tasks = waiting(unread, "a1", "a2", "a3", "a4")
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    # Cancelled, and still in the line.
    tasks[1].cancel()
    unread.give_back("a", 50)
    # The third has its bytes now, and has not learnt of it.
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    assert order == ["a4"]
    assert unread._bytes == {"a": 50}
    assert unread._lines == {}


async def test_whoever_is_cancelled_keeps_nobody_else_waiting() -> None:
    unread = UnreadDocuments(100)
    assert unread.take("a", 40)
    _, [task] = waiting(unread, "a1")
    await asyncio.sleep(0)
    assert not unread.take("a", 5)

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert unread.take("a", 5)
