from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

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


@pytest.mark.parametrize(
    "urn",
    [OWN, f"{HUB}:capability:sky:capability.example.n2", f"{HUB}:catalog:sky", f"{HUB}:registry:federation"],
)
@pytest.mark.parametrize("safe", ["", ":"], ids=["encoded", "plain"])
async def test_an_entry_is_found_by_its_urn(full: httpx.AsyncClient, urn: str, safe: str) -> None:
    path = f"/ard/agents/{quote(urn, safe=safe)}"

    answer = await full.get(path)

    entry = answer.json()
    assert entry["identifier"] == urn
    assert not {"score", "source"} & entry.keys()
    assert (await full.get(path, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


async def test_every_listed_entry_is_found_as_it_is_listed(full: httpx.AsyncClient) -> None:
    items = (await full.get("/ard/agents")).json()["items"]

    assert [(await full.get(f"/ard/agents/{one['identifier']}")).json() for one in items] == items


@pytest.mark.parametrize(
    "urn",
    [
        "urn:air:ard-conformance.invalid:probe:not-found",
        f"{HUB}:capability:sky:x",
        f"{HUB}:capability:sky:capability.example.n1",
    ],
)
async def test_an_unknown_urn_is_not_found(full: httpx.AsyncClient, urn: str) -> None:
    ard_error(await full.get(f"/ard/agents/{quote(urn, safe='')}"), 404, "NOT_FOUND")


@pytest.mark.parametrize("text", ["not-a-valid-ard-urn", "urn:air:x", "urn:ai:example.org:x"])
async def test_what_is_no_urn_is_refused(full: httpx.AsyncClient, text: str) -> None:
    ard_error(await full.get(f"/ard/agents/{text}"), 400, "INVALID_ARGUMENT")
