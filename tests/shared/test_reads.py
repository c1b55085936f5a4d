from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from shared import reads as module
from shared.problems import Overloaded
from shared.reads import Reads
from tests.builders import index, problem, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub


async def test_what_is_computed_is_bounded_and_more_is_refused_at_once() -> None:
    go_on, reads = threading.Event(), Reads()
    under_way = [asyncio.create_task(reads.run(go_on.wait, 10)) for _ in range(module.MOST)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded) as refused:
        await reads.run(str, 1)

    assert refused.value.headers == {"Retry-After": "1"}
    go_on.set()
    assert await asyncio.gather(*under_way) == [True] * module.MOST
    assert await reads.run(str, 1) == "1"
    await reads.close()


async def test_those_who_ask_for_the_same_at_once_share_one_result() -> None:
    made, reads = [], Reads()

    def make(number: int) -> int:
        made.append(number)
        return len(made)

    assert await asyncio.gather(*(reads.once("key", make, 7) for _ in range(200))) == [1] * 200
    assert await reads.once("key", make, 8) == 2
    assert made == [7, 8]
    await reads.close()


async def test_a_failure_is_everybody_s_and_the_next_tries_anew() -> None:
    reads = Reads()

    failed = await asyncio.gather(*(reads.once("key", int, "x") for _ in range(3)), return_exceptions=True)

    assert [type(one) for one in failed] == [ValueError] * 3
    assert await reads.once("key", int, "7") == 7
    await reads.close()


async def test_who_goes_away_takes_the_result_from_nobody() -> None:
    go_on, reads = threading.Event(), Reads()
    gone = asyncio.create_task(reads.once("key", go_on.wait, 10))
    stays = asyncio.create_task(reads.once("key", go_on.wait, 10))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    go_on.set()

    assert await stays is True
    await reads.close()


@pytest.fixture
async def busy(hub: Hub, client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub whose threads for reads all have something to do."""
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)
    await refresh(client)
    hub.reads._under_way = module.MOST
    return client


@pytest.mark.parametrize(
    "path",
    ["/v1/federated/changes?since=0", "/v1/repos/state-hub/ai-catalog.json", "/.well-known/ard.json", "/register"],
)
async def test_computed_answers_are_refused_while_too_many_are_under_way(busy: httpx.AsyncClient, path: str) -> None:
    answer = await busy.get(path)

    problem(answer, "overloaded")
    assert answer.headers["retry-after"] == "1"


async def test_writes_checks_and_other_reads_go_on_meanwhile(busy: httpx.AsyncClient) -> None:
    await register(busy, "another")
    await refresh(busy)

    for path in ("/health", "/ready", "/v1/federated", "/v1/repos", "/v1/capabilities"):
        assert (await busy.get(path)).status_code == 200


async def test_who_asks_while_a_result_is_handed_out_has_a_new_one_made() -> None:
    reads, late = Reads(), list[asyncio.Task[int]]()

    async def second() -> int:
        await asyncio.sleep(0)
        return 2

    async def first() -> int:
        late.append(asyncio.create_task(reads.join("key", second)))
        return 1

    assert await reads.join("key", first) == 1
    assert await late[0] == 2
    await reads.close()
