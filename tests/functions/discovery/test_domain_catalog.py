from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.discovery import catalogs
from tests.builders import ard_error
from tests.functions.discovery.publishing import publish

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.discovery.naming import Naming
    from shared.federation import Edition

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


async def test_parts_that_there_are_not_are_counted_once(
    client: httpx.AsyncClient, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(client, upstream)
    walks: list[str] = []
    repos = catalogs._repos

    def counted(naming: Naming, edition: Edition, domain: str = "") -> list[tuple[str, list[dict[str, Any]]]]:
        walks.append(domain)
        return repos(naming, edition, domain)

    monkeypatch.setattr(catalogs, "_repos", counted)
    for part in range(2, 12):
        ard_error(await client.get(f"{PATH}?part={part}"), 404, "NOT_FOUND")

    assert walks == ["helix_forge"]
