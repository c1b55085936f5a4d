from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import problem, register
from tests.functions.discovery.publishing import HUB, OWN, publish

if TYPE_CHECKING:
    import httpx
    import respx

PATH = "/v1/repos/sky/ai-catalog.json"


async def test_lists_what_the_repo_serves_and_leaves_out_what_no_client_would_take(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream)

    answer = await client.get(PATH)

    entries = answer.json()["entries"]
    assert [(one["identifier"], one["url"]) for one in entries] == [
        (OWN, "https://example.org/SKILL.md"),
        (f"{HUB}:capability:sky:capability.example.n2", "http://hub/v1/capabilities/sky/capability.example.n2"),
    ]
    assert answer.headers["content-type"] == "application/ai-catalog+json"
    shown = await client.get(entries[1]["url"])
    assert shown.json()["name"] == entries[1]["displayName"]


async def test_comes_as_json_to_those_who_ask_for_that(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream)

    answer = await client.get(PATH, headers={"Accept": "application/json"})

    assert (answer.headers["content-type"], answer.headers["vary"]) == ("application/json", "Accept")
    assert (await client.get(PATH, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def test_a_repo_that_serves_nothing_has_an_empty_catalog(client: httpx.AsyncClient) -> None:
    await register(client, "new")

    assert (await client.get("/v1/repos/new/ai-catalog.json")).json()["entries"] == []


@pytest.mark.parametrize(
    ("target", "slug"),
    [
        ("/v1/repos/nobody/ai-catalog.json", "repo-not-found"),
        (f"{PATH}?part=2", "not-found"),
        (f"{PATH}?part=0", "bad-query"),
    ],
)
async def test_what_is_not_there_is_not_found(
    client: httpx.AsyncClient, upstream: respx.MockRouter, target: str, slug: str
) -> None:
    await publish(client, upstream)

    problem(await client.get(target), slug)
