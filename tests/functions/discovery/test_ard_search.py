from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import ard_error
from tests.functions.discovery.publishing import HUB, OWN, publish

if TYPE_CHECKING:
    import httpx
    import respx


@pytest.fixture
async def full(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with a few capabilities."""
    return await publish(client, upstream)


async def search(client: httpx.AsyncClient, text: str, **more: Any) -> dict[str, Any]:
    """Return what a search for *text* answers."""
    filters = {"filter": more.pop("filter")} if "filter" in more else {}
    answer = await client.post("/ard/search", json={"query": {"text": text, **filters}, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_finds_by_a_sentence_the_best_first(full: httpx.AsyncClient) -> None:
    body = await search(full, "Please tell me how the weather is, or paint something")

    assert body.keys() == {"results"}
    assert [one["identifier"] for one in body["results"]] == [OWN, f"{HUB}:capability:sky:capability.example.n2"]
    assert [one["score"] > 0 for one in body["results"]] == [True, True]
    assert body["results"][0]["score"] == 100
    assert {one["source"] for one in body["results"]} == {"http://hub/ard/"}


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ({"type": ["text/markdown"]}, 1),
        ({"type": "application/json"}, 2),
        ({"tags": ["sky", "craft"]}, 2),
        ({"publisher": ["example.org"]}, 1),
        ({"publisher": ["reuse-surface.invalid"], "tags": "craft"}, 1),
        ({"metadata.domain": ["shed"]}, 1),
        ({"metadata.availability": ["A4"], "metadata.status": "active"}, 1),
        ({"metadata.source_repo": ["nobody"]}, 0),
    ],
    ids=str,
)
async def test_filters(full: httpx.AsyncClient, filters: dict[str, Any], count: int) -> None:
    assert len((await search(full, "weather paint tool", filter=filters))["results"]) == count


async def test_pages_follow_each_other(full: httpx.AsyncClient) -> None:
    whole = [one["identifier"] for one in (await search(full, "weather paint tool"))["results"]]
    shown: list[str] = []
    more: dict[str, Any] = {}
    while True:
        body = await search(full, "weather paint tool", pageSize=1, **more)
        shown += [one["identifier"] for one in body["results"]]
        if "pageToken" not in body:
            break
        more = {"pageToken": body["pageToken"]}

    assert shown == whole
    assert len(whole) == 3


@pytest.mark.parametrize(
    ("mode", "keys"), [("auto", {"results"}), ("none", {"results"}), ("referrals", {"results", "referrals"})]
)
async def test_no_other_registry_is_asked_or_known(full: httpx.AsyncClient, mode: str, keys: set[str]) -> None:
    body = await search(full, "weather", federation=mode)

    assert body.keys() == keys
    assert body.get("referrals", []) == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {}}, 400),
        ({"json": {"query": {"text": "x"}, "federation": "all"}}, 400),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"content": b"x"}, 415),
        ({"json": {"query": {"text": "x" * 70_000}}}, 413),
    ],
    ids=["nothing", "a mode", "no JSON", "no type", "too much"],
)
async def test_what_is_not_understood_is_told_as_ard_does(
    full: httpx.AsyncClient, sent: dict[str, Any], status: int
) -> None:
    assert ard_error(await full.post("/ard/search", **sent), status, "INVALID_ARGUMENT").endswith(".")
