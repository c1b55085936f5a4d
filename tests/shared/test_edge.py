from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from shared.edge import Edge, RequestIds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the id that an endpoint sees."""
    await PlainTextResponse(scope["request_id"])(scope, receive, send)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with _client() as session:
        yield session


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Edge(echo, RequestIds(), 7)), base_url="http://hub")


@pytest.mark.parametrize("sent", ["4711-ab/c", "x" * 100])
async def test_keeps_the_id_of_the_caller_where_it_is_sane(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/", headers={"X-Request-ID": sent})

    assert (answer.text, answer.headers.get_list("x-request-id")) == (sent, [sent])


@pytest.mark.parametrize("sent", ["x" * 101, "two words", "", "é", "a\x7f"])
async def test_gives_another_where_it_is_not(client: httpx.AsyncClient, sent: str) -> None:
    answer = await client.get("/", headers=[(b"x-request-id", sent.encode())])

    assert answer.text != sent
    assert answer.headers.get_list("x-request-id") == [answer.text]


async def test_no_two_requests_share_one(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get("/") for _ in range(50)))

    assert len({answer.text for answer in answers}) == 50
    assert (await _client().get("/")).text not in {answer.text for answer in answers}


async def test_lets_the_lifespan_pass() -> None:
    seen: list[Any] = []

    async def app(*given: Any) -> None:
        seen.append(given)

    async def nothing(*_: Any) -> Any:
        """Say nothing, hear nothing."""

    await Edge(app, RequestIds(), 7)({"type": "lifespan"}, nothing, nothing)

    assert seen == [({"type": "lifespan"}, nothing, nothing)]
