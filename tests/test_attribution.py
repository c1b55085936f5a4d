"""What follows an answer is never another source's answer: nine sources of one origin, one of which sends too much."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from router import ENDPOINTS, application
from shared.hub import Pace, open_hub
from tests.builders import WRITER, capability, index, registration
from tests.shared.fetch.hostile import Hostile, answer, head, sends

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from shared.settings import Settings
    from tests.shared.fetch.hostile import Behaviour

pytestmark = pytest.mark.usefixtures("real_network")

GOOD, ROUNDS = 8, 3
OWN = index(capability(100))
FOREIGN = index(capability(99))
SECOND = answer(body=FOREIGN, etag='"foreign"')


def not_modified(*behind: bytes, every: float = 0.0) -> Behaviour:
    """Send a body behind a 304, as some servers do when they are asked conditionally."""
    first = sends(answer(body=OWN, etag='"1"'))
    later = sends(head("304 Not Modified", etag='"1"') + behind[0], *behind[1:], every=every)

    async def behave(writer: asyncio.StreamWriter, headers: dict[str, str]) -> None:
        await (later if "if-none-match" in headers else first)(writer, headers)

    return behave


TOO_MUCH: dict[str, Behaviour] = {
    "more than its length": sends(answer(body=OWN) + b"rest of it"),
    "a second answer": sends(answer(body=OWN) + SECOND),
    "a second answer, a little later": sends(answer(body=OWN), SECOND, every=0.01),
    "a second answer, when the next request has come": sends(answer(body=OWN), SECOND, every=0.04),
    "a second answer in pieces": sends(answer(body=OWN) + SECOND[:30], SECOND[30:90], SECOND[90:], every=0.01),
    "a second answer behind chunks": sends(
        head(Transfer_Encoding="chunked") + b"%x\r\n%b\r\n0\r\nA: b\r\n\r\n" % (len(OWN), OWN) + SECOND
    ),
    "a body behind 304": not_modified(b"<html>Not modified</html>"),
    "an answer behind 304": not_modified(SECOND),
    "an answer behind 304, later": not_modified(b"", SECOND, every=0.02),
    "a body behind 204": sends(head("204 No Content") + b"<html>"),
    "an answer behind 204": sends(head("204 No Content") + SECOND),
    "an answer behind a redirect": sends(answer("302 Found", Location="/own") + SECOND),
    "an answer behind a redirect, later": sends(answer("302 Found", Location="/own"), SECOND, every=0.02),
    "an answer behind an empty one": sends(answer() + SECOND),
    "an answer behind 404": sends(answer("404 Not Found", b"no") + SECOND),
    "early hints behind the answer": sends(answer(body=OWN) + head("103 Early Hints", Link="</a>")),
    "early hints and an answer": sends(answer(body=OWN), head("103 Early Hints") + SECOND, every=0.01),
    "an answer behind the head alone": sends(head(Content_Length="0", Connection="keep-alive"), SECOND, every=0.02),
}


class World:
    """One origin with a source that sends too much, eight that do not, and a hub that reads all nine."""

    def __init__(self, publisher: Hostile, client: httpx.AsyncClient) -> None:
        self.publisher, self.client = publisher, client

    async def settle(self, bad: Behaviour) -> None:
        """Register all nine. The good ones answer after 50 ms, and their indexes name no repo."""
        self.publisher.at("/own", answer(body=OWN))
        self.publisher.at("/bad", bad)
        await self._register("bad")
        for number in range(GOOD):
            whole = answer(body=index(capability(number)), etag=f'"{number}"')
            self.publisher.at(f"/good{number}", sends(b"", whole, every=0.05))
            await self._register(f"good{number}")

    async def _register(self, repo: str) -> None:
        body = registration(repo=repo, url=self.publisher.url(f"/{repo}"))
        assert (await self.client.post("/v1/repos", json=body, headers=WRITER)).status_code == 201

    async def compose(self) -> dict[str, str]:
        """Check every source; return the outcome of each."""
        answered = await self.client.post("/v1/federated/compose?force=true", headers=WRITER)
        return {one["repo"]: one["outcome"] for one in answered.json()["results"]}

    async def served(self) -> dict[str, str]:
        """Return the repo that each id is served under."""
        document: dict[str, Any] = (await self.client.get("/v1/federated")).json()
        return {one["id"]: one["source_repo"] for one in document["capabilities"]}


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
        yield World(publisher, client)


@pytest.mark.parametrize("behaviour", TOO_MUCH.values(), ids=TOO_MUCH)
async def test_what_follows_an_answer_reaches_no_other_source(world: World, behaviour: Behaviour) -> None:
    await world.settle(behaviour)
    good = [f"good{number}" for number in range(GOOD)]

    outcomes = [await world.compose() for _ in range(ROUNDS)]

    seen = [{repo: outcome[repo] for repo in good} for outcome in outcomes]
    assert seen == [dict.fromkeys(good, "changed"), *[dict.fromkeys(good, "unchanged")] * (ROUNDS - 1)]
    served = {entry: repo for entry, repo in (await world.served()).items() if repo != "bad"}
    assert served == {f"capability.example.n{number}": f"good{number}" for number in range(GOOD)}
    asked = {path: headers.get("if-none-match") for path, headers in world.publisher.requests if "good" in path}
    assert asked == {f"/good{number}": f'"{number}"' for number in range(GOOD)}, "each by its own validators"
