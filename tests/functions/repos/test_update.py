from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import WRITER, federated, index, problem, refresh, register, tag, url_of, world

if TYPE_CHECKING:
    import httpx
    import respx

    from tests.builders import Hands


async def patch(client: httpx.AsyncClient, body: object, **headers: str) -> httpx.Response:
    return await client.patch("/v1/repos/state-hub", json=body, headers={**WRITER, **headers})


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json"])
async def test_changes_the_fields_that_are_named_and_no_other(
    client: httpx.AsyncClient, hands: Hands, media_type: str
) -> None:
    made = await register(client, description="kept", cache_ttl_seconds=60)
    hands.advance(5)

    answer = await patch(client, {"required": True, "domain": "other"}, **{"Content-Type": media_type})

    changed = {"required": True, "domain": "other", "updated_at": "2026-11-23T10:00:05.000000Z", "revision": 2}
    assert (answer.status_code, answer.headers["etag"], answer.json()) == (200, await tag(client), made | changed)
    shown = (await client.get("/v1/repos/state-hub")).json()
    assert answer.json() | {"source": shown["source"]} == shown


@pytest.mark.parametrize(
    ("field", "value", "default"),
    [
        ("enabled", False, True),
        ("required", True, False),
        ("cache_ttl_seconds", 60, 3600),
        ("description", "text", ""),
    ],
)
async def test_null_resets_an_optional_field(
    client: httpx.AsyncClient, field: str, value: Any, default: object
) -> None:
    made = await register(client, **{field: value})

    assert (await patch(client, {field: None})).json()[field] == default
    assert made[field] == value


@pytest.mark.parametrize(
    "body",
    [{}, {"repo": "state-hub"}, {"domain": "helix_forge", "enabled": None}, {"cache_ttl_seconds": 3600.0}],
    ids=["nothing", "its name", "what it says", "another spelling"],
)
async def test_changes_nothing_when_the_patch_says_what_is_stored(
    client: httpx.AsyncClient, hands: Hands, body: dict[str, Any]
) -> None:
    made, before = await register(client), await world(client)
    hands.advance(5)

    answer = await patch(client, body)

    assert (answer.status_code, answer.json()) == (200, made)
    assert await world(client) == before


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param({"repo": "another"}, ["/repo"], id="another name"),
        pytest.param({"repo": None}, ["/repo"], id="no name"),
        pytest.param({"url": None, "domain": None}, ["/domain", "/url"], id="no URL, no domain"),
        pytest.param({"url": "http://10.0.0.1/x"}, ["/url"], id="a private address"),
        pytest.param({"url": "https://u:p@git.example.org/x"}, ["/url"], id="a password"),
        pytest.param({"index": "registry/x.yaml"}, ["/index"], id="a local path"),
        pytest.param({"colour": None, "x": 1}, ["/colour", "/x"], id="unknown fields"),
        pytest.param({"enabled": {"to": True}}, ["/enabled"], id="an object for a boolean"),
        pytest.param({"cache_ttl_seconds": 1.5, "description": "x" * 1001}, ["/cache_ttl_seconds", "/description"],
                     id="several faults"),
        pytest.param({"registered_by": "me", "registered_at": "2020-01-01T00:00:00Z"},
                     ["/registered_at", "/registered_by"], id="fields of the hub"),
    ],
)  # fmt: skip
async def test_refuses_what_breaks_a_rule(
    client: httpx.AsyncClient, body: dict[str, Any], pointers: list[str]
) -> None:
    await register(client)
    before = await world(client)

    problem(await patch(client, body), "invalid-registration", *pointers)
    assert await world(client) == before


async def test_refuses_the_url_of_another_repo(client: httpx.AsyncClient) -> None:
    await register(client)
    await register(client, "other")
    before = await world(client)

    problem(await patch(client, {"url": url_of("other")}), "url-registered")
    assert await world(client) == before


@pytest.mark.parametrize("if_match", ["{tag}", "*", '"7", {tag}'])
async def test_changes_where_if_match_holds(client: httpx.AsyncClient, if_match: str) -> None:
    await register(client)
    headers = {"If-Match": if_match.format(tag=await tag(client))}

    answer = await patch(client, {"required": True}, **headers)

    assert (answer.status_code, answer.headers["etag"]) == (200, await tag(client))
    assert (await patch(client, {"required": False}, **headers)).status_code == (200 if if_match == "*" else 412)


@pytest.mark.parametrize("if_match", ['"2"', "W/{tag}", '"1"', "1", ""])
async def test_changes_nothing_where_if_match_does_not_hold(client: httpx.AsyncClient, if_match: str) -> None:
    await register(client)
    before = await world(client)

    if_match = if_match.format(tag=await tag(client))
    problem(await patch(client, {"required": True}, **{"If-Match": if_match}), "precondition-failed")
    assert await world(client) == before


async def test_loses_no_update_of_those_that_come_together(client: httpx.AsyncClient) -> None:
    await register(client)
    bodies: list[dict[str, Any]] = [{"required": True}, {"domain": "two"}, {"description": "d"}, {"enabled": False}]

    await asyncio.gather(*(patch(client, body) for body in bodies))

    shown = (await client.get("/v1/repos/state-hub")).json()
    assert shown["revision"] == 5
    assert all(shown | body == shown for body in bodies)


@pytest.fixture
async def fetched(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub that serves the one capability of state-hub."""
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)
    await refresh(client)
    return client


async def test_answers_when_what_was_disabled_is_hidden_and_what_was_enabled_is_there_again(
    fetched: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await patch(fetched, {"enabled": False})
    hidden = await federated(fetched)
    await patch(fetched, {"enabled": True})
    again = await federated(fetched)

    assert (hidden["capabilities"], hidden["sources"]) == ([], [])
    assert [one["source_repo"] for one in again["capabilities"]] == ["state-hub"]
    assert again["serial"] > hidden["serial"]
    assert upstream.calls.call_count == 1


async def test_answers_a_new_url_when_what_the_old_one_brought_is_served_as_stale(fetched: httpx.AsyncClient) -> None:
    before = await federated(fetched)

    await patch(fetched, {"url": url_of("moved")})

    after = await federated(fetched)
    assert after["capabilities"] == before["capabilities"]
    assert (after["sources"][0]["state"], after["sources"][0]["url"]) == ("stale", url_of("moved"))


async def test_makes_what_was_enabled_again_due(fetched: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await patch(fetched, {"enabled": False})
    await patch(fetched, {"enabled": True})

    answer = await fetched.post("/v1/federated/compose", headers=WRITER)

    assert [result["repo"] for result in answer.json()["results"]] == ["state-hub"]
    assert upstream.calls.call_count == 2
