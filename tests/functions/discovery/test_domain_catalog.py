from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import ard_error
from tests.functions.discovery.publishing import publish

if TYPE_CHECKING:
    import httpx
    import respx

PATH = "/ard/catalogs/helix_forge"


async def test_leads_to_the_repos_of_a_domain(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream)

    answer = await client.get(PATH)

    assert [one["url"] for one in answer.json()["entries"]] == [
        f"http://hub/v1/repos/{repo}/ai-catalog.json" for repo in ("shed", "sky")
    ]
    assert answer.headers["content-type"] == "application/ai-catalog+json"
    assert (await client.get(PATH, headers={"If-None-Match": answer.headers["etag"]})).status_code == 304


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ("/ard/catalogs/nothing", 404, "NOT_FOUND"),
        (f"{PATH}?part=2", 404, "NOT_FOUND"),
        (f"{PATH}?part=x", 400, "INVALID_ARGUMENT"),
    ],
)
async def test_what_is_not_there_is_not_found(
    client: httpx.AsyncClient, upstream: respx.MockRouter, target: str, status: int, code: str
) -> None:
    await publish(client, upstream)

    ard_error(await client.get(target), status, code)
