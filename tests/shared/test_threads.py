from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from shared.threads import ThreadRefused, Threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Name here the threads that the system refuses, by how their names begin."""
    begins, real = set[str](), threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if any(thread.name.startswith(one) for one in begins):
            raise RuntimeError("can't start new thread")
        real(thread)

    with monkeypatch.context() as limited:
        limited.setattr(threading.Thread, "start", start)
        yield begins


@pytest.fixture
def pool() -> Iterator[Callable[[int], Threads]]:
    """Make pools that end with the test."""
    made: list[Threads] = []

    def make(count: int) -> Threads:
        made.append(Threads(count, "some"))
        return made[-1]

    yield make
    for one in made:
        one.shutdown()


def alive() -> int:
    """Return how many threads of the pools there are."""
    return sum(thread.name.startswith("some_") for thread in threading.enumerate())


def test_all_threads_are_there_before_they_are_needed(pool: Callable[[int], Threads], refused: set[str]) -> None:
    before = alive()
    made = pool(3)
    assert alive() == before + 3

    refused.add("some_")

    assert [made.submit(pow, 2, number).result(10) for number in range(6)] == [1, 2, 4, 8, 16, 32]


def test_a_call_that_was_refused_never_runs(pool: Callable[[int], Threads], refused: set[str]) -> None:
    refused.add("some_")
    ran: list[str] = []
    made = pool(1)
    with pytest.raises(RuntimeError, match="can't start"):
        made.submit(ran.append, "refused")

    refused.clear()
    made.submit(ran.append, "later").result(10)

    assert ran == ["later"]


def test_what_few_threads_there_are_do_the_work_of_those_refused(
    pool: Callable[[int], Threads], refused: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    refused.add("some_1")
    before, go = alive(), threading.Event()
    made = pool(2)
    assert alive() == before + 1

    first, second = made.submit(go.wait, 10), made.submit(pow, 2, 2)
    go.set()

    assert (first.result(10), second.result(10)) == (True, 4)
    assert "a thread for some was refused" not in caplog.text


def test_says_that_threads_were_refused(
    pool: Callable[[int], Threads], refused: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    refused.add("some_")

    pool(2)

    assert "a thread for some was refused (can't start new thread)" in caplog.text


@pytest.mark.parametrize(
    ("fault", "kind"), [(RuntimeError("can't start new thread"), ThreadRefused), (MemoryError(), MemoryError)]
)
def test_where_no_thread_can_be_had_the_fault_says_what_the_machine_lacks(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, kind: type[Exception]
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise fault

    with monkeypatch.context() as refusing:
        refusing.setattr(threading.Thread, "start", refuse)
        made = Threads(1, "none")
        with pytest.raises(kind):
            made.submit(pow, 2, 3)
    made.shutdown()


async def test_a_loop_can_have_it_for_what_it_does_in_threads(refused: set[str]) -> None:
    asyncio.get_running_loop().set_default_executor(Threads(2, "some"))
    refused.add("some_")

    assert await asyncio.gather(*(asyncio.to_thread(pow, 2, number) for number in range(3))) == [1, 2, 4]
