from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.builders import WRITER, federated, index, problem, refresh, register, tag, url_of, world

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from tests.builders import Hands


async def delete(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    return await client.delete("/v1/repos/state-hub", headers={**WRITER, **headers})


async def test_answers_that_nothing_is_left(client: httpx.AsyncClient) -> None:
    await register(client)

    answer = await delete(client)

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get("/v1/repos")).json()["total"] == 0


async def test_frees_name_and_url_at_once(client: httpx.AsyncClient) -> None:
    await register(client)
    await delete(client)

    await register(client, "another", url=url_of("state-hub"))
    await register(client, "state-hub", url=url_of("elsewhere"))


async def test_answers_when_the_capabilities_are_gone_and_the_loser_of_a_conflict_is_served(
    client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands
) -> None:
    for repo in ("state-hub", "a-younger-one"):
        upstream.get(url_of(repo)).respond(content=index())
        await register(client, repo)
        await refresh(client, repo)
        hands.advance(1)
    before = await federated(client)

    await delete(client)

    after = await federated(client)
    assert [one["source_repo"] for one in before["capabilities"]] == ["state-hub"]
    assert [one["source_repo"] for one in after["capabilities"]] == ["a-younger-one"]
    assert (len(before["conflicts"]), after["conflicts"]) == (1, [])
    assert after["serial"] > before["serial"]


async def test_forgets_what_was_fetched(client: httpx.AsyncClient, upstream: respx.MockRouter, hub: Hub) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)
    await refresh(client)

    await delete(client)
    await register(client)

    assert (await client.get("/v1/repos/state-hub")).json()["source"]["state"] == "never"
    assert list((hub.settings.data_dir / "content").iterdir()) == []


async def test_knows_no_repo_that_is_not_registered(client: httpx.AsyncClient) -> None:
    await register(client, "other")
    before = (await client.get("/v1/repos")).text

    problem(await delete(client), "repo-not-found")
    assert (await client.get("/v1/repos")).text == before


async def test_deregisters_once(client: httpx.AsyncClient) -> None:
    await register(client)

    answers = await asyncio.gather(*(delete(client) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [204, 404, 404, 404]
    history = (await client.get("/v1/repos/state-hub/history")).json()["history"]
    assert [line["action"] for line in history] == ["deregister", "register"]


@pytest.mark.parametrize("if_match", ["{tag}", "*", '"7", {tag}'])
async def test_deregisters_where_if_match_holds(client: httpx.AsyncClient, if_match: str) -> None:
    await register(client)

    if_match = if_match.format(tag=await tag(client))
    assert (await delete(client, **{"If-Match": if_match})).status_code == 204


@pytest.mark.parametrize("if_match", ['"2"', "W/{tag}", '"1"', "1", ""])
async def test_changes_nothing_where_if_match_does_not_hold(client: httpx.AsyncClient, if_match: str) -> None:
    await register(client)
    before = await world(client)

    if_match = if_match.format(tag=await tag(client))
    problem(await delete(client, **{"If-Match": if_match}), "precondition-failed")
    assert await world(client) == before


async def test_a_required_repo_that_is_gone_is_not_missed(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).respond(404)
    await register(client, required=True)
    await refresh(client)
    assert (await federated(client))["missing_required"] == ["state-hub"]

    await delete(client)

    assert (await federated(client))["complete"] is True
