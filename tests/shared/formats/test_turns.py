from __future__ import annotations

import asyncio

from shared.formats.turns import Turns


class Readers:
    """Those who take turns; *order* tells who had one."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.order: list[str] = []
        self.inside = 0

    async def read(self, name: str) -> None:
        """Have a turn of the owner that is the first letter of *name*."""
        async with self.turns.turn(name[0]):
            self.inside += 1
            assert self.inside == 1
            self.order.append(name)
            await asyncio.sleep(0)
            self.inside -= 1

    async def come(self, *names: str) -> list[asyncio.Task[None]]:
        """Let them all come, in this order."""
        tasks = [asyncio.create_task(self.read(name)) for name in names]
        await asyncio.sleep(0)
        return tasks


async def test_owners_take_turns_and_those_of_one_come_in_order() -> None:
    readers = Readers()

    await asyncio.gather(*await readers.come("a1", "a2", "a3", "a4", "b1", "b2", "c1"))

    assert readers.order == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]
    assert not readers.turns._lines
    await asyncio.gather(*await readers.come("a5"))


async def test_whoever_is_cancelled_leaves_the_turn_to_the_next() -> None:
    readers = Readers()
    async with readers.turns.turn("x"):
        first, second, *others = await readers.come("a1", "b1", "c1", "c2")
        second.cancel()
        await asyncio.sleep(0)
    # The turn of the first is given, and it has not begun.
    first.cancel()

    await asyncio.gather(first, second, *others, return_exceptions=True)

    assert readers.order == ["c1", "c2"]
    await asyncio.gather(*await readers.come("d1"))
    assert not readers.turns._lines
