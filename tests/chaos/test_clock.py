"""A clock that is set forward and back: only what people read moves with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import Hands, capability, federated, index, refresh, register, served, url_of

if TYPE_CHECKING:
    import respx

    from shared.settings import Settings

YEAR = 365 * 86400


@pytest.mark.parametrize("jump", [-YEAR, -3600, 3600, YEAR, 70 * YEAR], ids=["-1y", "-1h", "+1h", "+1y", "+70y"])
async def test_a_jump_loses_nothing_and_stops_nothing(
    settings: Settings, upstream: respx.MockRouter, jump: float
) -> None:
    hands = Hands()
    source = upstream.get(url_of("state-hub")).respond(content=index(capability(1)))
    async with served(replace(settings, max_stale_seconds=10 * 365 * 86400), hands) as client:
        await register(client)
        await refresh(client)
        before = await federated(client)

        hands.jump(jump)
        assert await federated(client) == before
        source.respond(content=index(capability(2)))
        assert (await refresh(client))["outcome"] == "changed"
        after = await federated(client)
        assert after["serial"] == before["serial"] + 1
        await register(client, "another")
        lines = (await client.get("/v1/repos/another/history")).json()["history"]
        assert len(lines) == 1

    # A start finds times that lie ahead or far behind, and goes on.
    async with served(settings, Hands()) as client:
        assert (await federated(client))["serial"] >= after["serial"]
        assert (await refresh(client))["outcome"] == "unchanged"
        assert (await federated(client))["capabilities"] == after["capabilities"]
