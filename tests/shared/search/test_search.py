from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

import shared.search as module
import shared.search.index as index_module
from shared.problems import SearchTimeout
from shared.search import Search, Wanted
from tests.builders import Hands, capability
from tests.shared.search.editions import edition
from tests.shared.sharing import part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.clock import Clock
    from shared.federation import Edition, Federation
    from shared.search import Found


class Editions:
    """A federation that serves what the test hands out."""

    def __init__(self) -> None:
        self.on_change: list[Callable[[], None]] = []
        self.edition = edition(part("ours", capability(1, name="one")))

    @property
    def document(self) -> Any:
        """The document of the edition."""
        return self.edition.document

    def serve(self, following: Edition) -> None:
        """Serve *following*."""
        self.edition = following
        for tell in self.on_change:
            tell()


@contextlib.asynccontextmanager
async def running(editions: Editions, hands: Hands | None = None) -> AsyncIterator[Search]:
    search = Search(cast("Federation", editions), (hands or Hands()).clock())
    task = asyncio.create_task(search.follow())
    try:
        yield search
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await search.close()


@pytest.fixture
def editions() -> Editions:
    return Editions()


def ids(found: Found) -> bytes:
    return b" ".join(hit.entry.id.removeprefix("capability.example.").encode() for hit in found.hits)


async def test_answers_from_the_start_with_what_the_first_edition_holds(editions: Editions) -> None:
    async with running(editions) as search:
        answer = await search.answer(Wanted(), ids)

    assert (answer.body, answer.serial, answer.generated_at) == (b"n1", 1, "2026-11-23T10:00:00Z")


@pytest.mark.parametrize("small_change", [0, 100], ids=["by a new index", "by changing the old one"])
async def test_follows_every_edition(editions: Editions, small_change: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "SMALL_CHANGE", small_change)
    async with running(editions) as search:
        await search.answer(Wanted(), ids)
        for serial in (2, 3):
            editions.serve(edition(part("ours", capability(serial)), serial=serial))
            await search.caught_up()
            answer = await search.answer(Wanted(), ids)
            assert (answer.body, answer.serial) == (b"n%d" % serial, serial)
            assert search.version == (serial, "2026-11-23T10:00:00Z")


async def test_the_old_index_answers_while_a_new_one_is_made(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "SMALL_CHANGE", 0)
    begun, go_on = threading.Event(), threading.Event()

    def made(*about: Any) -> index_module.Index:
        begun.set()
        go_on.wait(10)
        return index_module.Index(*about)

    async with running(editions) as search:
        await search.caught_up()
        monkeypatch.setattr(module, "Index", made)
        editions.serve(edition(part("ours", capability(2)), serial=2))
        await asyncio.to_thread(begun.wait, 10)
        during = await search.answer(Wanted(), ids)
        go_on.set()
        await search.caught_up()
        after = await search.answer(Wanted(), ids)

    assert [(one.serial, one.body) for one in (during, after)] == [(1, b"n1"), (2, b"n2")]


async def test_an_answer_is_made_once_per_edition_and_question(editions: Editions) -> None:
    made: list[bytes] = []

    def render(found: Found) -> bytes:
        made.append(ids(found))
        return made[-1]

    async with running(editions) as search:
        for wanted in (Wanted(), Wanted(terms=("one",)), Wanted(), Wanted(terms=("one",))):
            await search.answer(wanted, render)
        editions.serve(edition(part("ours", capability(2, name="one")), serial=2))
        await search.caught_up()
        await search.answer(Wanted(), render)

    assert made == [b"n1", b"n1", b"n2"]


async def test_an_answer_is_kept_no_longer_than_there_is_room(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 2000)
    made: list[int] = []

    def render(_: Found) -> bytes:
        made.append(len(made))
        return b"x" * 500

    async with running(editions) as search:
        for limit in (1, 2, 1, 1):
            await search.answer(Wanted(limit=limit), render)
        with pytest.raises(ZeroDivisionError):
            await search.answer(Wanted(limit=3), lambda _: b"%d" % (1 // 0))

    assert made == [0, 1, 2]


async def test_an_answer_larger_than_all_the_room_is_given_and_not_kept(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 2000)

    async with running(editions) as search:
        answers = [await search.answer(Wanted(), lambda _: b"x" * 5000) for _ in range(2)]

    assert [len(answer.body) for answer in answers] == [5000, 5000]


async def test_a_search_whose_turn_comes_too_late_is_given_up(editions: Editions) -> None:
    hands, busy = Hands(), threading.Event()

    def block(_: Found) -> bytes:
        busy.wait(10)
        return b"slow"

    async with running(editions, hands) as search:
        await search.caught_up()
        slow = asyncio.create_task(search.answer(Wanted(limit=1), block))
        late = asyncio.create_task(search.answer(Wanted(terms=("example",)), ids))
        await asyncio.sleep(0.01)
        hands.advance(module.SECONDS)
        busy.set()

        assert (await slow).body == b"slow"
        with pytest.raises(SearchTimeout):
            await late
        assert (await search.answer(Wanted(limit=1), ids)).body == b"n1"


async def test_a_search_that_takes_too_long_is_given_up(editions: Editions) -> None:
    hands = Hands()
    editions.serve(edition(part("ours", *(capability(number) for number in range(9000)))))

    class Tired(Hands):
        def clock(self) -> Clock:
            """Return a clock by which every look at it takes a second."""
            return replace(hands.clock(), monotonic=self.look)

        def look(self) -> float:
            """Return the time, a second later each time."""
            hands.advance(1)
            return hands.clock().monotonic()

    async with running(editions, Tired()) as search:
        with pytest.raises(SearchTimeout):
            await search.answer(Wanted(terms=("example",), limit=1), ids)


async def test_before_there_is_an_index_a_search_waits_a_while(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.01)
    search = Search(cast("Federation", editions), Hands().clock())
    assert search.version == (0, "")

    with pytest.raises(SearchTimeout):
        await search.answer(Wanted(), ids)

    await search.close()


async def test_it_rests_after_work_so_that_others_get_their_share(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands, rests = Hands(), []

    class Slow(index_module.Index):
        def __init__(self, *about: Any) -> None:
            super().__init__(*about)
            hands.advance(1.5)

    async def sleep(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "Index", Slow)
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**vars(asyncio) | {"sleep": sleep}))
    async with running(editions, hands) as search:
        await search.caught_up()
        await asyncio.sleep(0)

    assert rests == [3.0]
