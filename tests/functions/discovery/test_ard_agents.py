from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import ard_error
from tests.functions.discovery.publishing import OWN, publish

if TYPE_CHECKING:
    import httpx
    import respx


@pytest.fixture
async def full(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with a few capabilities."""
    return await publish(client, upstream)


async def test_lists_whole_entries_in_pages(full: httpx.AsyncClient) -> None:
    names: list[str] = []
    params = {"pageSize": "1"}
    while True:
        body = (await full.get("/ard/agents", params=params)).json()
        names += [one["displayName"] for one in body["items"]]
        assert body["total"] == 4
        if "pageToken" not in body:
            break
        params["pageToken"] = body["pageToken"]

    # One of the four can't be an entry.
    assert names == ["Lend a tool", "Read the weather", "Paint a house"]


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("displayName = 'weath'", ["Read the weather"]),
        ("displayName = 'outside'", []),
        ("type = 'text/markdown,text/html'", ["Read the weather"]),
        ("publisherId = 'example.org' AND displayName = 'read'", ["Read the weather"]),
        ("updatedAfter > '2030-01-01'", []),
    ],
)
async def test_filters(full: httpx.AsyncClient, condition: str, names: list[str]) -> None:
    items = (await full.get("/ard/agents", params={"filter": condition})).json()["items"]

    assert [one["displayName"] for one in items] == names


async def test_a_known_page_is_a_304(full: httpx.AsyncClient) -> None:
    answer = await full.get("/ard/agents")

    assert OWN in answer.text
    assert (await full.get("/ard/agents", headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def test_an_order_is_refused(full: httpx.AsyncClient) -> None:
    ard_error(await full.get("/ard/agents?orderBy=displayName"), 400, "INVALID_ARGUMENT")
