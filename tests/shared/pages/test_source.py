from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.lines import ChangeLine, Delta
from shared.pages.source import MOST_CHANGES, recent, waiting
from tests.builders import capability, index, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from tests.builders import Hands


def line(serial: int, **capabilities: dict[str, bool]) -> ChangeLine:
    return ChangeLine.of(serial, "", Delta(sources={"a": True}, capabilities=capabilities))


def test_tells_what_came_and_went_the_newest_first() -> None:
    lines = [line(1, a={"x": True, "y": True}), line(2, b={"a": True}), line(3, a={"x": False, "z": True}), line(4)]

    assert recent(lines, "a") == [(3, 3, ["z"], ["x"]), (1, 1, ["x", "y"], [])]
    assert recent(lines, "c") == []


def test_goes_no_further_back_than_it_shows() -> None:
    lines = [line(number, a={"x": True}) for number in range(20)]

    assert [turn.serial for turn in recent(lines, "a")] == list(range(19, 19 - MOST_CHANGES, -1))


def test_serials_that_are_told_together_are_one_turn() -> None:
    together = ChangeLine.joined([line(1, a={"x": True, "y": True}), line(2, a={"x": False})])

    assert recent([together, line(3, b={"x": True})], "a") == [(1, 2, ["y"], ["x"])]


async def test_tells_what_would_vanish(
    client: httpx.AsyncClient, hub: Hub, upstream: respx.MockRouter, hands: Hands
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(*(capability(number) for number in range(1, 5))))
    await register(client)
    await refresh(client)
    assert waiting(hub.sources.all()["state-hub"]) is None
    hands.advance(60)
    upstream.get(url_of("state-hub")).respond(content=index(capability(2)))
    await refresh(client)

    found = waiting(hub.sources.all()["state-hub"])

    assert found is not None
    assert found.gone == [f"capability.example.n{number}" for number in (1, 3, 4)]
    assert (found.before, found.since) == (4, "2026-11-23T10:01:00Z")


def test_nothing_waits_where_there_is_no_source() -> None:
    assert waiting(None) is None
