from __future__ import annotations

import asyncio

from shared.fetch import MAX_BYTES
from shared.sources.unread import MOST_UNREAD, Unread


def test_one_owner_takes_half_and_all_of_them_the_whole() -> None:
    unread = Unread(100)

    assert unread.take("a", 40)
    assert not unread.take("a", 11)
    assert unread.take("b", 50)
    assert not unread.take("c", 11)
    assert unread.take("c", 10)
    unread.give_back("b", 50)
    unread.give_back("a", 40)

    assert unread._taken == {"c": 10}


def test_the_largest_document_has_room() -> None:
    assert Unread().take("a", MAX_BYTES)
    assert MOST_UNREAD // 2 >= 6 * MAX_BYTES


async def test_owners_take_turns_where_room_becomes_free() -> None:
    unread, order = Unread(100), list[str]()

    async def wait(name: str) -> None:
        await unread.wait(name[0], 40)
        order.append(name)

    assert unread.take("x", 50)
    assert unread.take("y", 50)
    tasks = [asyncio.create_task(wait(name)) for name in ("a1", "a2", "b1")]
    await asyncio.sleep(0)
    for owner in "xy":
        unread.give_back(owner, 50)
    await asyncio.sleep(0)
    assert order == ["a1", "b1"]

    unread.give_back("b", 40)
    await asyncio.sleep(0)
    assert order == ["a1", "b1"]
    unread.give_back("a", 40)
    await asyncio.gather(*tasks)

    assert order == ["a1", "b1", "a2"]
    assert unread._lines == {}


async def test_whoever_is_cancelled_keeps_no_bytes() -> None:
    unread = Unread(100)
    assert unread.take("a", 50)
    waiting = [asyncio.create_task(unread.wait("a", 50)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    unread.give_back("a", 50)
    # The second has its bytes now, and has not learnt of it.
    waiting[1].cancel()
    await asyncio.sleep(0)
    await waiting[2]

    assert unread._taken == {"a": 50}
    assert unread._lines == {}
