from __future__ import annotations

import asyncio

from shared.background import Background


async def test_a_task_says_how_it_does_and_ends_when_it_is_told_to() -> None:
    background, ended = Background(), list[str]()

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("run")

    assert background.state("a", "ok") == "not running"
    background.start({"a": run})
    await asyncio.sleep(0)
    assert (background.state("a", ""), background.state("a", "slow"), ended) == ("ok", "slow", [])
    await background.end()

    assert (background.state("a", "ok"), ended) == ("not running", ["run"])


async def test_one_that_returns_begins_again() -> None:
    background, twice, begun = Background(again_seconds=0.0), asyncio.Event(), list[int]()

    async def run() -> None:
        begun.append(1)
        if len(begun) == 2:
            twice.set()

    background.start({"a": run})
    async with asyncio.timeout(10):
        await twice.wait()
    await background.end()

    assert len(begun) >= 2
