from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from shared import schemas
from tests.builders import WRITER, problem, register, url_of

if TYPE_CHECKING:
    import httpx


async def test_answers_every_registration_in_the_order_of_the_names(client: httpx.AsyncClient) -> None:
    await register(client, "state-hub", required=True, description="a\u2028b")
    await register(client, "another", enabled=False)

    document = (await client.get("/v1/sources")).json()

    assert schemas.checker("federation")(document) == []
    assert [one["repo"] for one in document["sources"]] == ["another", "state-hub"]
    assert document["sources"][1] == {
        "repo": "state-hub",
        "url": url_of("state-hub"),
        "domain": "helix_forge",
        "enabled": True,
        "required": True,
        "cache_ttl_seconds": 3600,
        "description": "a\u2028b",
    }


async def test_says_the_same_as_yaml(client: httpx.AsyncClient) -> None:
    empty = await client.get("/v1/sources?format=yaml")
    await register(client)

    as_yaml = await client.get("/v1/sources", headers={"Accept": "application/yaml"})

    assert yaml.safe_load(empty.content) == {"version": 1, "sources": []}
    assert as_yaml.headers["content-type"] == "application/yaml"
    assert yaml.safe_load(as_yaml.content) == (await client.get("/v1/sources")).json()


async def test_a_known_tag_is_a_304_until_a_registration_changes(client: httpx.AsyncClient) -> None:
    await register(client)
    tag = {"If-None-Match": (await client.get("/v1/sources")).headers["etag"]}

    assert (await client.get("/v1/sources", headers=tag)).status_code == 304
    await client.patch("/v1/repos/state-hub", json={"required": True}, headers=WRITER)
    assert (await client.get("/v1/sources", headers=tag)).status_code == 200


async def test_refuses_what_it_does_not_offer(client: httpx.AsyncClient) -> None:
    problem(await client.get("/v1/sources?colour=red"), "bad-query")
    problem(await client.get("/v1/sources", headers={"Accept": "image/png"}), "not-acceptable")
