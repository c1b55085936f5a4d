from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import (
    WRITER,
    capability,
    federated,
    index,
    problem,
    refresh,
    register,
    registration,
    tag,
    url_of,
    world,
)

if TYPE_CHECKING:
    import httpx
    import respx

    from tests.builders import Hands


async def put(client: httpx.AsyncClient, body: dict[str, Any], if_match: str | None = None) -> httpx.Response:
    headers = WRITER if if_match is None else {**WRITER, "If-Match": if_match}
    return await client.put("/v1/repos/state-hub", json=body, headers=headers)


@pytest.mark.parametrize("name", [None, "state-hub"], ids=["left out", "as in the path"])
async def test_registers_a_new_name(client: httpx.AsyncClient, name: str | None) -> None:
    answer = await put(client, registration(repo=name))

    assert answer.status_code == 201
    assert (answer.headers["location"], answer.headers["etag"]) == ("/v1/repos/state-hub", await tag(client))
    shown = (await client.get("/v1/repos/state-hub")).json()
    assert answer.json() | {"source": shown["source"]} == shown


async def test_replaces_what_is_registered_and_gives_defaults_to_what_is_left_out(
    client: httpx.AsyncClient, hands: Hands
) -> None:
    made = await register(client, description="old", required=True, cache_ttl_seconds=60)
    hands.advance(5)

    answer = await put(client, registration(domain="other"))

    assert (answer.status_code, answer.headers["etag"]) == (200, await tag(client))
    assert "location" not in answer.headers
    assert answer.json() == made | registration(
        domain="other",
        required=False,
        cache_ttl_seconds=3600,
        description="",
        updated_at="2026-11-23T10:00:05.000000Z",
        revision=2,
    )


async def test_changes_nothing_when_the_body_says_what_is_stored(client: httpx.AsyncClient, hands: Hands) -> None:
    made, before, seen = await register(client), await world(client), await tag(client)
    hands.advance(5)

    answer = await put(client, registration(enabled=True, cache_ttl_seconds=3600.0))

    assert (answer.status_code, answer.json(), answer.headers["etag"]) == (200, made, seen)
    assert await world(client) == before


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        pytest.param({"repo": "another"}, ["/repo"], id="another name"),
        pytest.param({"repo": 7}, ["/repo"], id="a name that is no text"),
        pytest.param({"url": None}, ["/url"], id="no URL"),
        pytest.param({"url": "http://localhost/x", "domain": "A b"}, ["/domain", "/url"], id="several faults"),
        pytest.param({"revision": 1}, ["/revision"], id="a field of the hub"),
        pytest.param({"source": {}}, ["/source"], id="what show added"),
    ],
)
@pytest.mark.parametrize("exists", [True, False], ids=["known", "new"])
async def test_refuses_what_breaks_a_rule(
    client: httpx.AsyncClient, exists: bool, changes: dict[str, Any], pointers: list[str]
) -> None:
    if exists:
        await register(client)
    before = await world(client)

    answer = await put(client, registration(**changes))

    problem(answer, "invalid-registration", *pointers)
    assert await world(client) == before


async def test_refuses_a_path_that_is_no_name(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/repos/State%20Hub", json=registration(repo=None), headers=WRITER)

    problem(answer, "invalid-registration", "/repo")
    assert (await client.get("/v1/repos")).json()["total"] == 0


async def test_refuses_the_url_of_another_repo(client: httpx.AsyncClient) -> None:
    await register(client)
    await register(client, "other")
    before = await world(client)

    problem(await put(client, registration(url=url_of("other"))), "url-registered")
    assert await world(client) == before


async def test_takes_json_only(client: httpx.AsyncClient) -> None:
    headers = {**WRITER, "Content-Type": "application/merge-patch+json"}

    problem(await client.put("/v1/repos/state-hub", content=b"{}", headers=headers), "unsupported-media-type")


@pytest.mark.parametrize("if_match", ["{tag}", "*", '"7", {tag}', '"7",{tag} , W/"2"', "W/{tag}, {tag}"])
async def test_replaces_where_if_match_holds(client: httpx.AsyncClient, if_match: str) -> None:
    await register(client)

    answer = await put(client, registration(required=True), if_match.format(tag=await tag(client)))

    assert (answer.status_code, answer.json()["revision"]) == (200, 2)


@pytest.mark.parametrize("if_match", ['"2"', "W/{tag}", '"1"', '"01"', "1", "", '"*"', '"a", "b"'])
async def test_changes_nothing_where_if_match_does_not_hold(client: httpx.AsyncClient, if_match: str) -> None:
    await register(client)
    before = await world(client)

    if_match = if_match.format(tag=await tag(client))
    problem(await put(client, registration(required=True), if_match), "precondition-failed")
    assert await world(client) == before


@pytest.mark.parametrize("if_match", ["*", '"1"', '"0"'])
async def test_registers_nothing_new_under_if_match(client: httpx.AsyncClient, if_match: str) -> None:
    problem(await put(client, registration(), if_match), "precondition-failed")

    assert (await client.get("/v1/repos")).json()["total"] == 0
    problem(await client.get("/v1/repos/state-hub/history"), "repo-not-found")


async def test_lets_one_of_those_win_who_build_on_the_same_revision(client: httpx.AsyncClient) -> None:
    await register(client)
    seen = await tag(client)

    answers = await asyncio.gather(*(put(client, registration(description=f"n{n}"), seen) for n in range(8)))

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    assert (await client.get("/v1/repos/state-hub")).json()["revision"] == 2


async def test_answers_a_new_url_when_what_the_old_one_brought_is_served_as_stale(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(), headers={"ETag": '"old"'})
    await register(client)
    await refresh(client)
    assert len((await federated(client))["capabilities"]) == 1

    await put(client, registration(url=url_of("moved")))

    assert len((await federated(client))["capabilities"]) == 1
    assert (await client.get("/v1/repos/state-hub")).json()["source"]["state"] == "stale"
    moved = upstream.get(url_of("moved")).respond(content=index(capability(2)))
    assert (await refresh(client))["outcome"] == "changed"
    assert "if-none-match" not in moved.calls.last.request.headers


async def test_keeps_what_was_fetched_when_the_url_stays(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)
    await refresh(client)

    await put(client, registration(cache_ttl_seconds=60))

    assert (await client.get("/v1/repos/state-hub")).json()["source"]["state"] == "fresh"
    assert len((await federated(client))["capabilities"]) == 1
