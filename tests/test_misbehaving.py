"""Sources that misbehave beside sources that don't, on real sockets: nobody delays, hides or alters another."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from router import ENDPOINTS, application
from shared.hub import Pace, open_hub
from tests.builders import WRITER, capability, index, registration
from tests.shared.fetch.hostile import Hostile, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.settings import Settings

pytestmark = pytest.mark.usefixtures("real_network")

GOOD, EACH = 24, 4
ERRORS = {
    "hang": "source-unreachable",
    "error": "source-status",
    "garbage": "invalid-index",
    "circle": "source-redirect",
}


class World:
    """Forty sources: the good ones at one address, each of the others at one of its own; and a hub that reads them."""

    def __init__(self, publisher: Hostile, client: httpx.AsyncClient) -> None:
        self.publisher, self.client = publisher, client
        self.release = asyncio.Event()

    async def settle(self) -> None:
        """Register all sources."""
        self.publisher.at("/hang", self._hang)
        self.publisher.at("/error", answer("500 Internal Server Error"))
        self.publisher.at("/garbage", answer(body=b"\x00\xff" * 500))
        self.publisher.at("/circle", answer("302 Found", location="/circle"))
        for number in range(GOOD):
            path = f"/good{number}"
            self.publisher.at(path, answer(body=index(capability(number)), etag=f'"{number}"'))
            await self._register(f"good{number}", self.publisher.url(path))
        for place, kind in enumerate(ERRORS):
            for number in range(EACH):
                address = f"127.0.{place + 1}.{number + 1}"
                await self._register(f"{kind}{number}", self.publisher.url(f"/{kind}", address))

    async def _register(self, repo: str, url: str) -> None:
        body = registration(repo=repo, url=url)
        assert (await self.client.post("/v1/repos", json=body, headers=WRITER)).status_code == 201

    async def _hang(self, writer: asyncio.StreamWriter, _: dict[str, str]) -> None:
        await self.release.wait()
        writer.close()

    async def compose(self) -> dict[str, Any]:
        """Check every source, and return the report."""
        answered = await self.client.post("/v1/federated/compose?force=true", headers=WRITER)
        report: dict[str, Any] = answered.json()
        return report

    async def served(self) -> int:
        """Return how many capabilities are served."""
        return len((await self.client.get("/v1/federated")).json()["capabilities"])


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    hub = open_hub(replace(settings, allow_networks=("127.0.0.0/8",)), pace=Pace(gather_seconds=(0.02, 0.02)))
    transport = httpx.ASGITransport(application(hub, ENDPOINTS), raise_app_exceptions=False)
    publisher = Hostile()
    async with (
        publisher.running(),
        hub.running(),
        httpx.AsyncClient(transport=transport, base_url="http://hub") as client,
    ):
        made = World(publisher, client)
        await made.settle()
        yield made
        made.release.set()


async def test_the_good_ones_are_served_while_others_still_hang(world: World) -> None:
    composing = asyncio.create_task(world.compose())

    async with asyncio.timeout(15):
        while await world.served() < GOOD:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.02)
    assert not composing.done()
    world.release.set()
    report = await composing

    assert report["counts"] == {"changed": GOOD, "failed": EACH * len(ERRORS)}
    errors = {one["repo"]: one["source"]["error"]["type"] for one in report["results"] if one["outcome"] == "failed"}
    assert errors == {f"{kind}{number}": slug for kind, slug in ERRORS.items() for number in range(EACH)}
    findings = (await world.client.get("/v1/findings?kind=failed")).json()
    assert findings["total"] == EACH * len(ERRORS)


async def test_checking_them_again_asks_the_good_ones_by_what_is_known(world: World) -> None:
    world.release.set()
    await world.compose()
    before = (await world.client.get("/v1/federated")).content
    world.publisher.requests.clear()

    report = await world.compose()

    asked = {path: headers.get("if-none-match") for path, headers in world.publisher.requests}
    assert {path: tag for path, tag in asked.items() if tag} == {f"/good{n}": f'"{n}"' for n in range(GOOD)}
    assert Counter(one["outcome"] for one in report["results"]) == {"unchanged": GOOD, "failed": EACH * len(ERRORS)}
    assert (await world.client.get("/v1/federated")).content == before
