from __future__ import annotations

from typing import TYPE_CHECKING

from tests.functions.discovery.publishing import publish

if TYPE_CHECKING:
    import httpx
    import respx


async def test_is_the_same_document_under_the_media_type_of_catalogs(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream)

    answer, other = [await client.get(f"/.well-known/{name}.json") for name in ("ai-catalog", "ard")]

    assert (answer.content, answer.headers["etag"]) == (other.content, other.headers["etag"])
    assert answer.headers["content-type"] == "application/ai-catalog+json"


async def test_is_answered_whatever_is_accepted_or_asked(client: httpx.AsyncClient) -> None:
    answer = await client.get("/.well-known/ai-catalog.json?utm=1", headers={"Accept": "text/html"})

    assert answer.status_code == 200
