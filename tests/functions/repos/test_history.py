from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import WRITER, problem, register, registration, served, url_of

if TYPE_CHECKING:
    import httpx

    from shared.settings import Settings
    from tests.builders import Hands

PATH = "/v1/repos/state-hub"


async def lines(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(f"{PATH}/history?{query}")).json()["history"]
    return found


async def test_tells_who_changed_what_and_when_newest_first(client: httpx.AsyncClient, hands: Hands) -> None:
    await register(client)
    hands.advance(60)
    await client.patch(PATH, json={"required": True}, headers={**WRITER, "X-Request-ID": "r-2"})
    await client.put(PATH, json=registration(domain="other", required=True), headers=WRITER)
    await client.delete(PATH, headers=WRITER)

    found = await lines(client)

    whole = registration(enabled=True, required=False, cache_ttl_seconds=3600, description="")
    last = whole | {"required": True, "domain": "other"}
    assert [(line["action"], line["revision"], line["before"], line["after"]) for line in found] == [
        ("deregister", 4, last, None),
        ("update", 3, {"domain": "helix_forge"}, {"domain": "other"}),
        ("update", 2, {"required": False}, {"required": True}),
        ("register", 1, None, whole),
    ]
    assert [line["at"][:19] for line in found] == ["2026-11-23T10:01:00"] * 3 + ["2026-11-23T10:00:00"]
    assert found[2]["request_id"] == "r-2"
    assert len({line["request_id"] for line in found}) == len(found)
    assert {(line["by"], line["repo"]) for line in found} == {("operator", "state-hub")}


@pytest.mark.parametrize("sent", [b"x" * 101, b"a b", "é".encode(), b""])
async def test_gives_a_request_an_id_where_it_brings_none_that_is_sane(client: httpx.AsyncClient, sent: bytes) -> None:
    headers = [*((name.encode(), value.encode()) for name, value in WRITER.items()), (b"X-Request-ID", sent)]

    answer = await client.post("/v1/repos", json=registration(), headers=headers)

    assert answer.status_code == 201
    assert (await lines(client))[0]["request_id"] == answer.headers["x-request-id"] != sent.decode()


async def test_answers_with_a_list_that_ends(client: httpx.AsyncClient) -> None:
    await register(client)

    answer = await client.get(f"{PATH}/history")

    assert answer.json().keys() == {"history", "next"}
    assert (answer.json()["next"], "link" in answer.headers) == (None, False)


async def test_is_read_page_by_page_by_following_the_links(client: httpx.AsyncClient) -> None:
    await register(client)
    for number in range(6):
        await client.patch(PATH, json={"description": f"n{number}"}, headers=WRITER)

    answers = [await client.get(f"{PATH}/history?limit=3")]
    while "next" in answers[-1].links:
        answers.append(await client.get(answers[-1].links["next"]["url"]))

    assert [[line["revision"] for line in one.json()["history"]] for one in answers] == [[7, 6, 5], [4, 3, 2], [1]]
    assert [one.json()["next"] is None for one in answers] == [False, False, True]


async def test_keeps_the_last_fifty_of_a_repo(client: httpx.AsyncClient) -> None:
    await register(client)
    for number in range(50):
        await client.patch(PATH, json={"description": f"n{number}"}, headers=WRITER)

    assert [line["revision"] for line in await lines(client)] == [*range(51, 2, -1), 1]


@pytest.mark.parametrize("query", ["limit=0", "limit=51", "limit=x", "cursor=%25", "cursor=", "domain=x"])
async def test_refuses_a_query_that_it_does_not_understand(client: httpx.AsyncClient, query: str) -> None:
    await register(client)

    problem(await client.get(f"{PATH}/history?{query}"), "bad-query")


async def test_survives_a_restart_and_the_end_of_the_registration(settings: Settings) -> None:
    async with served(settings) as client:
        await register(client)
        await client.delete(PATH, headers=WRITER)
        before = await lines(client)

    async with served(settings) as client:
        assert await lines(client) == before
        await register(client, url=url_of("new"))
        assert [line["revision"] for line in await lines(client)] == [3, 2, 1]


async def test_knows_no_history_of_what_was_never_registered(client: httpx.AsyncClient) -> None:
    await register(client, "other")

    problem(await client.get(f"{PATH}/history"), "repo-not-found")
