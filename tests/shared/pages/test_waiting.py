from __future__ import annotations

from typing import TYPE_CHECKING

from shared.pages.waiting import waiting
from tests.builders import capability, index, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from tests.builders import Hands


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
