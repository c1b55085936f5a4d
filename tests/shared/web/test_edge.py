from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from shared.problems import StartError
from shared.web.edge import Edge, PublicPath, RequestIds, refuse_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the id that an endpoint sees."""
    await PlainTextResponse(scope["request_id"])(scope, receive, send)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with _client() as session:
        yield session


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Edge(echo, RequestIds())), base_url="http://hub")


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


async def places(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the path that an endpoint sees, and with what stands before it for the client."""
    await PlainTextResponse(f"{scope['path']} {scope['public_path']}")(scope, receive, send)


@pytest.mark.parametrize(
    ("asked", "own"),
    [
        pytest.param("/tools/reuse/v1/repos", "/v1/repos", id="left there"),
        pytest.param("/v1/repos", "/v1/repos", id="taken off"),
        pytest.param("/tools/reuse", "/", id="the path alone"),
        pytest.param("/tools/reuse/", "/", id="the path with a slash"),
        pytest.param("/tools/%72euse/v1", "/v1", id="quoted"),
        pytest.param("/tools/reuse/tools/reuse/v1", "/tools/reuse/v1", id="once"),
        pytest.param("/tools/reused", "/tools/reused", id="a longer name"),
        pytest.param("/tools", "/tools", id="a part of it"),
        pytest.param("/x/tools/reuse/v1", "/x/tools/reuse/v1", id="elsewhere"),
        pytest.param("/Tools/Reuse/v1", "/Tools/Reuse/v1", id="another case"),
    ],
)
async def test_the_path_of_the_public_url_is_no_part_of_the_hubs_paths(asked: str, own: str) -> None:
    transport = httpx.ASGITransport(PublicPath(places, "/tools/reuse"))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as session:
        assert (await session.get(asked)).text == f"{own} /tools/reuse"


def test_a_public_path_may_begin_as_no_path_of_the_hub() -> None:
    paths = ("/", "/sources/{repo}", "/llms.txt")

    for good in ("", "/reuse", "/source", "/reuse/sources"):
        refuse_own(good, paths)
    for bad in ("/sources", "/sources/x", "/llms.txt"):
        with pytest.raises(StartError, match=f"begins with /{bad.split('/')[1]}, as paths of the hub itself do"):
            refuse_own(bad, paths)


@pytest.mark.parametrize("layer", [lambda app: Edge(app, RequestIds()), lambda app: PublicPath(app, "/reuse")])
async def test_lets_the_lifespan_pass(layer: Callable[[ASGIApp], ASGIApp]) -> None:
    seen: list[Any] = []

    async def app(*given: Any) -> None:
        seen.append(given)

    async def nothing(*_: Any) -> Any:
        """Say nothing, hear nothing."""

    await layer(app)({"type": "lifespan"}, nothing, nothing)

    assert seen == [({"type": "lifespan"}, nothing, nothing)]
