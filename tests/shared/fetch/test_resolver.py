from __future__ import annotations

import asyncio
import socket
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

from shared.fetch.resolver import Resolver
from shared.fetch.talk import TalkTime
from shared.problems import Overloaded, SourceUnreachable
from tests.builders import Hands

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager


@pytest.fixture
async def callback_failures() -> AsyncIterator[list[BaseException]]:
    """What callbacks of the event loop raised, in the place of a line in the log."""
    loop, raised = asyncio.get_running_loop(), list[BaseException]()
    loop.set_exception_handler(lambda _, context: raised.append(context["exception"]))
    yield raised
    loop.set_exception_handler(None)


async def test_every_address_comes_once_and_without_its_zone(answers: Callable[..., list[str]]) -> None:
    asked = answers("93.184.216.34", "fe80::1%eth0", "93.184.216.34")

    found = await Resolver().addresses("h.example.")

    assert [str(address) for address in found] == ["93.184.216.34", "fe80::1"]
    assert asked == ["h.example."]


async def test_few_of_thousands_of_addresses_are_looked_at(answers: Callable[..., list[str]]) -> None:
    addresses = [f"93.184.{number >> 8}.{number & 255}" for number in range(4000)]
    answers(*addresses)

    found = await Resolver().addresses("h.example.")

    assert [str(address) for address in found] == addresses[:64]


@pytest.mark.parametrize("fault", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")], ids=["gai", "idna"])
async def test_a_name_without_addresses_is_unreachable(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def fail(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(SourceUnreachable, match="does not resolve"):
        await Resolver().addresses("h.example.")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A resolver that hangs at names that start so, until the event is set; and how often it was asked."""
    let_go, asked = threading.Event(), list[str]()

    def resolve(name: str, *_: object, **__: object) -> list[Any]:
        asked.append(name)
        if name.startswith("hang"):
            let_go.wait(30)
        return [(0, 0, 0, "", ("93.184.216.34", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield let_go, asked
    let_go.set()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the look-ups of names that start so end without addresses, late or not; to be called after ``hanging``."""

    def begin(start: str) -> None:
        before = socket.getaddrinfo

        def resolve(name: str, *about: Any, **named: Any) -> Any:
            found = before(name, *about, **named)
            if name.startswith(start):
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return found

        monkeypatch.setattr(socket, "getaddrinfo", resolve)

    return begin


@pytest.mark.usefixtures("hanging")
async def test_names_that_hang_end_in_time_and_keep_no_other_waiting() -> None:
    names = Resolver(seconds=0.1)

    hung = asyncio.gather(*(names.addresses(f"hang{number}.") for number in range(50)), return_exceptions=True)

    await asyncio.sleep(0)
    assert len(await names.addresses("h.example.")) == 1
    assert {str(one) for one in await hung} == {"The host's name did not resolve within 0.1 s."}


async def test_those_who_want_one_name_share_its_look_up(hanging: Any) -> None:
    let_go, asked = hanging
    names = Resolver(seconds=0.1)

    with pytest.raises(SourceUnreachable):
        await names.addresses("hang.")
    asyncio.get_running_loop().call_later(0.02, let_go.set)
    found = await asyncio.gather(*(names.addresses("hang.") for _ in range(9)))

    assert asked == ["hang."]
    assert [len(one) for one in found] == [1] * 9
    assert len(await names.addresses("hang.")) == 1
    assert asked == ["hang."] * 2, "an answer is not kept"


async def test_a_look_up_that_outlives_the_hub_is_let_be(hanging: Any) -> None:
    def hub() -> None:
        with pytest.raises(SourceUnreachable):
            asyncio.run(Resolver(seconds=0.02).addresses("hang."))

    await asyncio.to_thread(hub)
    (thread,) = (one for one in threading.enumerate() if one.name == "resolver")
    hanging[0].set()
    thread.join(5)

    assert not thread.is_alive()


async def test_waiting_for_a_thread_is_not_the_names_time(hanging: Any) -> None:
    let_go, asked = hanging
    names, hands = Resolver(seconds=0.2, threads=(2, 2, 2)), Hands()
    talks = [TalkTime(hands.clock()) for _ in range(2)]
    hung = [names.addresses(f"hang{number}.") for number in range(2)]
    await asyncio.gather(*hung, return_exceptions=True)

    async def good(talk: TalkTime) -> int:
        async with talk.running(0.2):
            return len(await names.addresses("h.example.", talk))

    waiting = [asyncio.create_task(good(talk)) for talk in talks]
    await asyncio.sleep(0.4)
    hands.advance(95)
    assert not any(task.done() for task in waiting), "the name was not looked up yet, so nothing has timed out"
    let_go.set()

    assert await asyncio.gather(*waiting) == [1, 1]
    assert asked == ["hang0.", "hang1.", "h.example."], "who waits with another one shares the look-up"
    assert [talk.seconds for talk in talks] == [0, 0]


async def hang(names: Resolver, count: int, name: str = "hang") -> None:
    """Have *count* names hang, each in a thread of its own; nobody waits for them any more."""
    hung = (names.addresses(f"{name}{number}.") for number in range(count))
    assert all(isinstance(one, SourceUnreachable) for one in await asyncio.gather(*hung, return_exceptions=True))


async def ended(names: Resolver) -> None:
    """Return when no look-up is under way any more; fail after 5 s."""
    async with asyncio.timeout(5):
        while names._under_way:  # noqa: ASYNC110 - what is waited for happens in threads
            await asyncio.sleep(0.005)


async def test_names_that_answered_lately_have_threads_that_no_other_takes(hanging: Any) -> None:
    names = Resolver(seconds=0.1, threads=(3, 2, 1))
    await names.addresses("good.")
    await hang(names, 2)
    more = [asyncio.create_task(names.addresses(f"hang-more{number}.")) for number in range(5)]
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        assert len(await names.addresses("good.")) == 1
    assert hanging[1] == ["good.", "hang0.", "hang1.", "good."], "the others wait for one another"
    assert not any(task.done() for task in more)
    hanging[0].set()
    assert [len(one) for one in await asyncio.gather(*more)] == [1] * 5


async def test_names_that_hung_leave_threads_to_those_of_which_nothing_is_known(hanging: Any, failing: Any) -> None:
    hands = Hands()
    names = Resolver(seconds=0.1, clock=hands.clock(), threads=(3, 3, 1))
    failing("hang")
    await hang(names, 3)
    hanging[0].set()
    await ended(names)
    hanging[0].clear()
    hands.advance(30)

    again = [asyncio.create_task(names.addresses(f"hang{number}.")) for number in range(3)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert len(await names.addresses("new.")) == 1

    assert hanging[1][3:] == ["hang0.", "new."]
    hanging[0].set()
    assert all(isinstance(one, SourceUnreachable) for one in await asyncio.gather(*again, return_exceptions=True))


async def test_a_name_that_hung_is_asked_again_only_after_a_while(hanging: Any, failing: Any) -> None:
    hands = Hands()
    names = Resolver(seconds=0.05, clock=hands.clock())
    failing("hang")
    with pytest.raises(SourceUnreachable, match="did not resolve within"):
        await names.addresses("hang.")
    hanging[0].set()
    await ended(names)

    hands.advance(29)
    with pytest.raises(SourceUnreachable, match=r"when it was last looked up. The hub looks it up again in 1 s"):
        await names.addresses("hang.")
    assert hanging[1] == ["hang."]
    hands.advance(1)
    with pytest.raises(SourceUnreachable, match="does not resolve"):
        await names.addresses("hang.")
    assert hanging[1] == ["hang."] * 2


async def test_a_name_that_answered_lately_may_hang_once(hanging: Any, failing: Any) -> None:
    names = Resolver(seconds=0.05, clock=Hands().clock())
    hanging[0].set()
    await names.addresses("hang.")
    hanging[0].clear()
    failing("hang")
    hung = await asyncio.gather(names.addresses("hang."), names.addresses("hang."), return_exceptions=True)
    assert [type(one) for one in hung] == [SourceUnreachable] * 2
    hanging[0].set()
    await ended(names)

    with pytest.raises(SourceUnreachable, match="does not resolve"):
        await names.addresses("hang.")
    assert hanging[1] == ["hang."] * 3


async def test_a_look_up_that_nobody_waits_for_any_more_is_not_begun(hanging: Any) -> None:
    names = Resolver(seconds=0.1, threads=(1, 1, 1))
    await hang(names, 1)
    for number in range(100):
        waiting = asyncio.create_task(names.addresses(f"left{number}."))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    assert names._under_way.keys() == {"hang0."}
    hanging[0].set()
    await names.addresses("h.example.")
    assert hanging[1] == ["hang0.", "h.example."]


async def test_what_is_remembered_of_names_is_bounded(hanging: Any) -> None:
    hanging[0].set()
    names = Resolver()
    names._hung.update({f"h{number}.example.": 0.0 for number in range(5000)})
    for number in range(5000):
        await names.addresses(f"g{number}.example.")

    assert (len(names._answered), len(names._hung), len(names._under_way)) == (4096, 4096, 0)


def refuse(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_thread_that_cannot_be_started_keeps_no_place_and_no_name(
    monkeypatch: pytest.MonkeyPatch, answers: Callable[..., list[str]]
) -> None:
    answers("93.184.216.34")
    names = Resolver(seconds=0.5, threads=(1, 1, 1))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(Overloaded, match="no threads left"):
            await names.addresses("h.example.")

    assert len(await names.addresses("h.example.")) == 1


async def test_a_thread_that_is_refused_while_others_work_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, hanging: Any
) -> None:
    names = Resolver(seconds=5)
    hung = asyncio.create_task(names.addresses("hang."))
    await asyncio.sleep(0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        waiting = asyncio.create_task(names.addresses("h.example."))
        await asyncio.sleep(0)
    assert not waiting.done()
    hanging[0].set()

    assert [len(one) for one in await asyncio.gather(hung, waiting)] == [1, 1]


START = threading.Thread.start


def begin_and_fail(thread: threading.Thread) -> None:
    """Start *thread*, and have no memory left to wait until it says so."""
    START(thread)
    raise MemoryError


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "while another one works"])
async def test_a_thread_that_runs_though_memory_ran_out_at_its_start_leaves_nothing_behind(
    others: int, monkeypatch: pytest.MonkeyPatch, hanging: Any
) -> None:
    names = Resolver(seconds=5, threads=(2, 2, 2))
    hung = [asyncio.create_task(names.addresses("hang.")) for _ in range(others)]
    await asyncio.sleep(0)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", begin_and_fail)
        waiting = asyncio.create_task(names.addresses("h.example."))
        [first] = await asyncio.gather(waiting, return_exceptions=True)
    assert first == [ip_address("93.184.216.34")] if others else isinstance(first, Overloaded)

    assert len(await names.addresses("h.example.")) == 1
    hanging[0].set()
    await asyncio.gather(*hung)
    await ended(names)
    assert (names._busy, [*map(len, names._lines)]) == (0, [0, 0, 0])


async def test_memory_that_runs_out_before_a_thread_is_made_keeps_no_name(
    monkeypatch: pytest.MonkeyPatch, answers: Callable[..., list[str]]
) -> None:
    answers("93.184.216.34")
    names = Resolver(seconds=5)

    def refuse_memory(*_: object, **__: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(threading, "Thread", refuse_memory)
        with pytest.raises(Overloaded, match="no memory left"):
            await names.addresses("h.example.")

    assert (names._under_way, [*map(len, names._lines)]) == ({}, [0, 0, 0])
    assert len(await names.addresses("h.example.")) == 1


async def test_an_answer_that_finds_no_memory_comes_when_there_is_some(
    monkeypatch: pytest.MonkeyPatch, answers: Callable[..., list[str]]
) -> None:
    answers("93.184.216.34")
    names, loop, refused = Resolver(seconds=5), asyncio.get_running_loop(), list[str]()
    tell = loop.call_soon_threadsafe

    def tell_later(*about: Any, **named: Any) -> Any:
        if not refused:
            refused.append("once")
            raise MemoryError
        return tell(*about, **named)

    monkeypatch.setattr(loop, "call_soon_threadsafe", tell_later)

    assert len(await names.addresses("h.example.")) == 1
    assert (refused, names._busy, names._under_way) == (["once"], 0, {})


async def test_memory_that_runs_out_over_an_answer_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, hanging: Any, callback_failures: list[BaseException]
) -> None:
    names = Resolver(seconds=5, threads=(1, 1, 1))

    class Full(dict[str, None]):
        def __setitem__(self, *_: object) -> None:
            raise MemoryError

    first = asyncio.create_task(names.addresses("hang."))
    await asyncio.sleep(0)
    second = asyncio.create_task(names.addresses("h.example."))
    await asyncio.sleep(0)
    monkeypatch.setattr(names, "_answered", Full())
    hanging[0].set()

    async with asyncio.timeout(4):
        assert [len(one) for one in await asyncio.gather(first, second)] == [1, 1]
    await ended(names)
    assert names._busy == 0
    assert [type(one) for one in callback_failures] == [MemoryError] * 2


async def test_a_hub_without_free_files_does_not_say_that_a_name_is_wrong(
    monkeypatch: pytest.MonkeyPatch, no_free_files: Callable[[], AbstractContextManager[None]]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with no_free_files(), pytest.raises(Overloaded, match="no open files left"):
        await Resolver().addresses("h.example.")
    with pytest.raises(SourceUnreachable):
        await Resolver().addresses("h.example.")


async def test_nor_does_one_without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(Overloaded, match="no memory left"):
        await Resolver().addresses("h.example.")
