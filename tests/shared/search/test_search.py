from __future__ import annotations

import asyncio
import contextlib
import threading
import tracemalloc
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest

from shared.problems import SearchTimeout
from shared.search import DEFAULT_PACE, Search, SearchPace, SearchRequest
from shared.search.index import Index
from shared.signals import EditionNotice, Signal
from tests.builders import Hands, capability
from tests.shared.search.editions import edition
from tests.shared.sharing import part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.clock import Clock
    from shared.federation import Edition, Federation
    from shared.search import SearchResult


class Editions:
    """A federation that serves what the test hands out."""

    def __init__(self) -> None:
        self.signal = Signal[EditionNotice]()
        self.idle = False
        self.edition = edition(part("ours", capability(1, name="one")))

    @property
    def document(self) -> Any:
        """The document of the edition."""
        return self.edition.document

    def serve(self, following: Edition) -> None:
        """Serve *following*."""
        self.edition = following
        self.signal.send(EditionNotice(following, None))


@contextlib.asynccontextmanager
async def running(
    editions: Editions,
    hands: Hands | None = None,
    *,
    pace: SearchPace = DEFAULT_PACE,
    make: Callable[..., Index] = Index,
) -> AsyncIterator[Search]:
    search = Search(cast("Federation", editions), (hands or Hands()).clock(), pace=pace, make=make)
    editions.signal.subscribe("search", search.on_edition)
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


async def searched(search: Search, serial: int) -> None:
    """Return once the edition of *serial* is searched; fail after 10 s."""
    async with asyncio.timeout(10):
        while search.version[0] < serial:  # noqa: ASYNC110 - a wait of its own, whatever the pace of the search is
            await asyncio.sleep(0.001)


def ids(found: SearchResult) -> bytes:
    return b" ".join(hit.entry.id.removeprefix("capability.example.").encode() for hit in found.hits)


class Faulty(Index):
    """An index that fails, once for each of *faults*, half way through what it does."""

    def __init__(self, faults: list[MemoryError], small_change: int, *about: Any) -> None:
        super().__init__(*about, small_change=small_change)
        self._faults = faults
        self.fail()

    def fail(self) -> None:
        """Fail, if that is still to come."""
        if self._faults:
            raise self._faults.pop()

    def follow(self, edition: Edition) -> bool:
        """Fail after all was changed."""
        followed = super().follow(edition)
        self.fail()
        return followed


@pytest.mark.parametrize("small_change", [0, 100], ids=["a new index", "the old one changed"])
async def test_follows_on_after_a_fault_and_says_so_meanwhile(
    editions: Editions, small_change: int, caplog: pytest.LogCaptureFixture
) -> None:
    faults: list[MemoryError] = []
    make = partial(Faulty, faults, small_change)
    async with running(editions, pace=SearchPace(again=0.02), make=make) as search:
        await search.answer(SearchRequest(), ids)
        faults.append(MemoryError())
        editions.serve(edition(part("ours", capability(2, name="two")), serial=2))
        async with asyncio.timeout(10):
            while not search.trouble:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.001)
            what = "the search index could not be made (the machine has no memory left); it is tried again"
            assert search.trouble == what
            while search.trouble:  # noqa: ASYNC110 - the same
                await asyncio.sleep(0.001)

        answer = await search.answer(SearchRequest(), ids)

    assert (answer.body, answer.serial) == (b"n2", 2)
    assert "making the search index failed" in caplog.text


async def test_readers_who_wait_are_woken_though_waking_them_failed_once(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = [MemoryError()]

    class Failing(asyncio.Condition):
        def notify_all(self) -> None:
            if faults:
                raise faults.pop()
            super().notify_all()

    monkeypatch.setattr(asyncio, "Condition", Failing)

    async with running(editions, pace=SearchPace(again=0.02)) as search, asyncio.timeout(4):
        answer = await search.answer(SearchRequest(), ids)

    assert (answer.serial, faults, search.trouble) == (1, [], "")


async def test_answers_from_the_start_with_what_the_first_edition_holds(editions: Editions) -> None:
    async with running(editions) as search:
        answer = await search.answer(SearchRequest(), ids)

    assert (answer.body, answer.serial, answer.generated_at) == (b"n1", 1, "2026-11-23T10:00:00Z")


@pytest.mark.parametrize("small_change", [0, 100], ids=["by a new index", "by changing the old one"])
async def test_follows_every_edition(editions: Editions, small_change: int) -> None:
    async with running(editions, make=partial(Index, small_change=small_change)) as search:
        await search.answer(SearchRequest(), ids)
        for serial in (2, 3):
            editions.serve(edition(part("ours", capability(serial)), serial=serial))
            await search.caught_up()
            answer = await search.answer(SearchRequest(), ids)
            assert (answer.body, answer.serial) == (b"n%d" % serial, serial)
            assert search.version == (serial, "2026-11-23T10:00:00Z")


async def test_the_old_index_answers_while_a_new_one_is_made(editions: Editions) -> None:
    held = Held()
    async with running(editions, make=held.make) as search:
        await search.caught_up()
        held.hold()
        editions.serve(edition(part("ours", capability(2)), serial=2))
        await asyncio.to_thread(held.begun.wait, 10)
        during = await search.answer(SearchRequest(), ids)
        held.go_on.set()
        await search.caught_up()
        after = await search.answer(SearchRequest(), ids)

    assert [(one.serial, one.body) for one in (during, after)] == [(1, b"n1"), (2, b"n2")]


async def test_an_answer_is_made_once_per_edition_and_question(editions: Editions) -> None:
    made: list[bytes] = []

    def render(found: SearchResult) -> bytes:
        made.append(ids(found))
        return made[-1]

    async with running(editions) as search:
        for wanted in (SearchRequest(), SearchRequest(terms=("one",)), SearchRequest(), SearchRequest(terms=("one",))):
            await search.answer(wanted, render)
        editions.serve(edition(part("ours", capability(2, name="one")), serial=2))
        await search.caught_up()
        await search.answer(SearchRequest(), render)

    assert made == [b"n1", b"n1", b"n2"]


async def test_an_answer_is_kept_no_longer_than_there_is_room(editions: Editions) -> None:
    made: list[int] = []

    def render(_: SearchResult) -> bytes:
        made.append(len(made))
        return b"x" * 500

    async with running(editions, pace=SearchPace(kept_bytes=2000)) as search:
        for limit in (1, 2, 1, 1):
            await search.answer(SearchRequest(limit=limit), render)
        with pytest.raises(ZeroDivisionError):
            await search.answer(SearchRequest(limit=3), lambda _: b"%d" % (1 // 0))

    assert made == [0, 1, 2]


async def test_long_questions_take_no_more_room_than_short_ones(editions: Editions) -> None:
    kept = []
    async with running(editions) as search:
        await search.caught_up()
        tracemalloc.start()
        try:
            for number in range(150):
                values = tuple(f"{number}-{count}-" + "v" * 600 for count in range(100))
                await search.answer(SearchRequest(filters=(("tag", values),)), ids)
                kept.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()

    # Each of the questions has 60 kB.
    assert kept[-1] - kept[49] < 100 * 4000


async def test_what_makes_an_answer_is_weighed(editions: Editions) -> None:
    renders = [Rendering("x" * 3000), Rendering("y" * 3000)]

    async with running(editions, pace=SearchPace(kept_bytes=5000)) as search:
        for render in (*renders, renders[0], renders[0]):
            await search.answer(SearchRequest(), render)

    assert [len(render.made) for render in renders] == [2, 1]


@dataclass(frozen=True)
class Rendering:
    """Makes answers, and is as large as a caller made it."""

    fields: str
    made: list[int] = field(default_factory=list, repr=False)

    def __call__(self, found: SearchResult) -> bytes:
        """Return the same small answer each time."""
        self.made.append(found.total)
        return b"small"


async def test_an_answer_larger_than_all_the_room_is_given_and_not_kept(editions: Editions) -> None:
    async with running(editions, pace=SearchPace(kept_bytes=2000)) as search:
        answers = [await search.answer(SearchRequest(), lambda _: b"x" * 5000) for _ in range(2)]

    assert [len(answer.body) for answer in answers] == [5000, 5000]


async def test_a_search_whose_turn_comes_too_late_is_given_up(editions: Editions) -> None:
    hands, busy = Hands(), threading.Event()

    def block(_: SearchResult) -> bytes:
        busy.wait(10)
        return b"slow"

    async with running(editions, hands) as search:
        await search.caught_up()
        slow = asyncio.create_task(search.answer(SearchRequest(limit=1), block))
        late = asyncio.create_task(search.answer(SearchRequest(terms=("example",)), ids))
        await asyncio.sleep(0.01)
        hands.advance(DEFAULT_PACE.seconds)
        busy.set()

        assert (await slow).body == b"slow"
        with pytest.raises(SearchTimeout):
            await late
        assert (await search.answer(SearchRequest(limit=1), ids)).body == b"n1"


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
            await search.answer(SearchRequest(terms=("example",), limit=1), ids)


async def test_before_there_is_an_index_a_search_waits_a_while(editions: Editions) -> None:
    search = Search(cast("Federation", editions), Hands().clock(), pace=SearchPace(wait=0.01))
    assert search.version == (0, "")

    with pytest.raises(SearchTimeout):
        await search.answer(SearchRequest(), ids)

    await search.close()


class Slow:
    """Makes indexes, each in a second and a half by the clock of its *hands*; none follows to the next edition."""

    def __init__(self) -> None:
        self.hands, self.made = Hands(), 0

    def make(self, *about: Any) -> Index:
        """Make an index."""
        self.made += 1
        self.hands.advance(1.5)
        return Index(*about, small_change=0)


async def test_it_rests_before_another_edition_so_that_many_that_come_at_once_cost_one_index(
    editions: Editions, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    resting, go_on = asyncio.Event(), asyncio.Event()

    async def rest(_: Search, seconds: float) -> None:
        rests.append(seconds)
        if seconds:
            resting.set()
            await go_on.wait()

    monkeypatch.setattr(Search, "_rest", rest)
    slow = Slow()
    async with running(editions, slow.hands, make=slow.make) as search:
        await search.caught_up()
        for serial in (2, 3, 4):
            editions.serve(edition(part("ours", capability(serial)), serial=serial))
            await resting.wait()
        assert search.version[0] == 1
        go_on.set()
        await search.caught_up()

    assert rests == [0.0, 7.5]
    assert slow.made == 2


async def test_its_rest_ends_with_the_time(editions: Editions) -> None:
    slow = Slow()
    async with running(editions, slow.hands, pace=SearchPace(rest=0.001), make=slow.make) as search:
        for serial in (1, 2, 3):
            editions.serve(edition(part("ours", capability(serial)), serial=serial))
            await search.caught_up()

        assert search.version[0] == 3


@pytest.mark.parametrize("idle", [False, True], ids=["for what a write promised", "when the checks have ended"])
async def test_it_does_not_rest(editions: Editions, *, idle: bool) -> None:
    slow = Slow()
    async with running(editions, slow.hands, pace=SearchPace(rest=1000), make=slow.make) as search:
        await search.caught_up()
        editions.idle = idle

        editions.serve(edition(part("ours", capability(2)), serial=2))
        if not idle:
            await search.promise()

        await search.caught_up()
        assert search.version[0] == 2


class Held:
    """Makes a new index for each edition; from ``hold`` on, when the test sets *go_on*. *make* makes the indexes."""

    def __init__(self, make: Callable[..., Index] | None = None) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._make = make or partial(Index, small_change=0)
        self.go_on.set()

    def hold(self) -> None:
        """Let no further index be made."""
        self.begun.clear()
        self.go_on.clear()

    def make(self, *about: Any) -> Index:
        """Make an index after a while."""
        self.begun.set()
        self.go_on.wait(10)
        return self._make(*about)


async def test_a_search_after_a_write_waits_for_what_was_written(editions: Editions) -> None:
    held = Held()
    async with running(editions, make=held.make) as search:
        await search.caught_up()
        held.hold()
        editions.serve(edition(part("ours", capability(2)), serial=2))
        await search.promise()
        await asyncio.to_thread(held.begun.wait, 10)
        after = asyncio.create_task(search.answer(SearchRequest(), ids))
        await asyncio.sleep(0.01)
        waiting = not after.done()
        held.go_on.set()

        assert waiting
        assert ((await after).serial, (await after).body) == (2, b"n2")


async def test_a_search_that_waits_in_vain_is_given_up(editions: Editions) -> None:
    held = Held()
    async with running(editions, pace=SearchPace(wait=0.05), make=held.make) as search:
        await searched(search, 1)
        held.hold()
        editions.serve(edition(part("ours", capability(2)), serial=2))
        await search.promise()

        with pytest.raises(SearchTimeout):
            await search.answer(SearchRequest(), ids)

        held.go_on.set()


async def test_where_an_index_takes_long_the_write_waits_and_searches_go_on(editions: Editions) -> None:
    slow = Slow()
    held = Held(slow.make)
    async with running(editions, slow.hands, make=held.make) as search:
        await search.caught_up()
        held.hold()
        editions.serve(edition(part("ours", capability(2)), serial=2))
        write = asyncio.create_task(search.promise())
        await asyncio.to_thread(held.begun.wait, 10)
        meanwhile = await search.answer(SearchRequest(), ids)
        waiting = not write.done()
        held.go_on.set()
        await write

        assert (meanwhile.serial, waiting) == (1, True)
        assert (await search.answer(SearchRequest(), ids)).serial == 2


async def test_a_write_waits_for_a_new_index_no_longer_than_its_pace_says(editions: Editions) -> None:
    slow = Slow()
    held, pace = Held(slow.make), SearchPace(wait=0.01, wait_of_writes=0.01)
    async with running(editions, slow.hands, pace=pace, make=held.make) as search:
        await searched(search, 1)
        held.hold()
        editions.serve(edition(part("ours", capability(2)), serial=2))

        await search.promise()

        with pytest.raises(SearchTimeout):
            await search.answer(SearchRequest(), ids)
        held.go_on.set()


async def test_nothing_is_waited_for_that_no_write_promised(editions: Editions) -> None:
    held = Held()
    async with running(editions, make=held.make) as search:
        await search.caught_up()
        await search.promise()
        held.hold()
        editions.serve(edition(part("ours", capability(2)), serial=2))

        assert (await search.answer(SearchRequest(), ids)).serial == 1
        held.go_on.set()
