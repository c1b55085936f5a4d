from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from shared.fetch import resolver
from shared.fetch.resolver import Resolver
from shared.fetch.talk import TalkTime
from shared.problems import SourceUnreachable
from tests.builders import Hands

if TYPE_CHECKING:
    from collections.abc import Callable


async def test_every_address_comes_once_and_without_its_zone(answers: Callable[..., list[str]]) -> None:
    asked = answers("93.184.216.34", "fe80::1%eth0", "93.184.216.34")

    found = await Resolver().addresses("h.example.")

    assert [str(address) for address in found] == ["93.184.216.34", "fe80::1"]
    assert asked == ["h.example."]


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


async def test_waiting_for_a_thread_is_not_the_names_time(monkeypatch: pytest.MonkeyPatch, hanging: Any) -> None:
    monkeypatch.setattr(resolver, "MAX_THREADS", 2)
    let_go, asked = hanging
    names, hands = Resolver(seconds=0.2), Hands()
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


async def test_a_thread_that_cannot_be_started_keeps_no_place_and_no_name(
    monkeypatch: pytest.MonkeyPatch, answers: Callable[..., list[str]]
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(resolver, "MAX_THREADS", 1)
    answers("93.184.216.34")
    names = Resolver(seconds=0.5)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError):
            await names.addresses("h.example.")

    assert len(await names.addresses("h.example.")) == 1
