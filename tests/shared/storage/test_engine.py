from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from shared.model.lines import ChangeLine, Delta
from shared.storage.engine import Engine, Head
from shared.storage.files import FilesEngine
from shared.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.builders import Hands

NOW = "2026-11-23T10:00:00Z"


@pytest.fixture
def opened(tmp_path: Path, hands: Hands) -> Iterator[Callable[[], Engine]]:
    """Open the engine anew at each call, after the one before has let go."""
    with contextlib.ExitStack() as stack:

        def begin() -> Engine:
            stack.close()
            engine = FilesEngine(tmp_path, hands.clock(), Tally())
            engine.open()
            stack.callback(engine.release)
            engine.prepare()
            return engine

        yield begin


async def test_an_edition_that_was_published_is_what_the_next_start_finds(opened: Callable[[], Engine]) -> None:
    engine = opened()
    assert engine.editions.load() == (Head(), [])
    line = ChangeLine.of(1, "said", Delta({"a": True}))

    async with engine.editions.turn() as turn:
        await turn.publish(Head(1, NOW, "said"), [line])

    assert opened().editions.load() == (Head(1, NOW, "said"), [line])


async def test_nobody_composes_while_another_does(opened: Callable[[], Engine]) -> None:
    engine, order = opened(), list[str]()

    async def compose(name: str) -> None:
        async with engine.editions.turn():
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(compose("one"), compose("other"))

    assert order == ["one begins", "one ends", "other begins", "other ends"]
