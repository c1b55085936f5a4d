from __future__ import annotations

from typing import TYPE_CHECKING

from tests.builders import problem

if TYPE_CHECKING:
    import httpx


async def test_answers_the_document_with_the_address_of_the_hub_and_the_schemas_inside(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/openapi.json")

    document = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (document["openapi"][:3], document["servers"]) == ("3.1", [{"url": "http://hub"}])
    assert {"Capability", "FederatedIndex", "Problem", "Registration"} <= document["components"]["schemas"].keys()


async def test_a_copy_that_is_still_good_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/openapi.json")
    again = await client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert (await client.get("/openapi.json", headers={"If-None-Match": '"another"'})).status_code == 200


async def test_refuses_what_it_does_not_offer(client: httpx.AsyncClient) -> None:
    problem(await client.get("/openapi.json?format=yaml"), "bad-query")
    problem(await client.get("/openapi.json", headers={"Accept": "application/yaml"}), "not-acceptable")
