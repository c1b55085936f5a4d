from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import WRITER, capability, index, problem, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

PATH = "/v1/repos/state-hub/badge.svg"


async def test_shows_the_state_of_the_source(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)))
    await register(client)
    before = await client.get(PATH)
    await refresh(client)

    answer = await client.get(PATH, headers={"Accept": "image/*,*/*;q=0.8"})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert ">never<" in before.text
    assert ">fresh · 2 capabilities<" in answer.text
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["etag"] != before.headers["etag"]


async def test_is_not_sent_again_to_those_who_have_it(client: httpx.AsyncClient) -> None:
    await register(client)
    tag = (await client.get(PATH)).headers["etag"]

    same = await client.get(PATH, headers={"If-None-Match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)


async def test_there_is_one_for_each_repo_and_no_other(client: httpx.AsyncClient) -> None:
    problem(await client.get(PATH), "repo-not-found")


@pytest.mark.parametrize("accept", ["image/png", "text/html"])
async def test_comes_in_no_other_form(client: httpx.AsyncClient, accept: str) -> None:
    await register(client)

    problem(await client.get(PATH, headers={"Accept": accept}), "not-acceptable")


async def test_counts_what_is_served_and_not_what_lost_a_conflict(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    for repo, content in (("rival", index(capability(1))), ("state-hub", index(capability(1), capability(2)))):
        upstream.get(url_of(repo)).respond(content=content)
        await register(client, repo)
        await refresh(client, repo)
    lost = (await client.get(PATH)).text

    await client.patch("/v1/repos/rival", json={"enabled": False}, headers=WRITER)

    assert ">fresh · 1 of 2 capabilities<" in lost
    assert ">fresh · 2 capabilities<" in (await client.get(PATH)).text
    assert ">disabled<" in (await client.get("/v1/repos/rival/badge.svg")).text
