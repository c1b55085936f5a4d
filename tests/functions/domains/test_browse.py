from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import WRITER, capability, index, problem, refresh, register, searchable, url_of

if TYPE_CHECKING:
    import httpx
    import respx

PATH = "/v1/domains"


async def listed(client: httpx.AsyncClient, query: str = "") -> list[tuple[str, int, int]]:
    """Return each domain that a page shows with its two counts."""
    answer = await client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    return [(row["domain"], row["repo_count"], row["served_count"]) for row in answer.json()["domains"]]


@pytest.fixture
async def full(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub where one entry, and one index, has another domain, and two repos claim one id."""
    own = capability(1, domain="craft")
    upstream.get(url_of("first")).respond(content=index(own, capability(2), capability(3)))
    upstream.get(url_of("second")).respond(content=index(capability(3), capability(4), domain="index_domain"))
    for repo, domain in (("first", "home"), ("second", "home"), ("unread", "later")):
        await register(client, repo, domain=domain)
    await register(client, "off", domain="home", enabled=False)
    await refresh(client, "first")
    await refresh(client, "second")
    return await searchable(client)


async def test_of_an_empty_hub_is_empty(client: httpx.AsyncClient) -> None:
    await searchable(client)
    answer = await client.get(PATH)

    assert (answer.status_code, answer.json()) == (200, {"domains": [], "total": 0, "next": None})
    assert "link" not in answer.headers


async def test_counts_registrations_and_what_is_served_by_domain(full: httpx.AsyncClient) -> None:
    # first serves 1 (of craft), 2 and 3; of second, whose index is of another domain, 4 alone: first has claimed 3.
    assert await listed(full) == [("craft", 0, 1), ("home", 3, 2), ("index_domain", 0, 1), ("later", 1, 0)]


async def test_the_counts_are_the_totals_of_the_lists_by_domain(full: httpx.AsyncClient) -> None:
    for domain, repos, served in await listed(full):
        assert (await full.get(f"/v1/repos?domain={domain}")).json()["total"] == repos
        assert (await full.get(f"/v1/capabilities?domain={domain}")).json()["total"] == served


async def test_shows_what_was_written_before(full: httpx.AsyncClient) -> None:
    await full.patch("/v1/repos/first", json={"domain": "moved"}, headers=WRITER)
    await full.delete("/v1/repos/unread", headers=WRITER)

    assert await listed(full) == [("craft", 0, 1), ("home", 2, 0), ("index_domain", 0, 1), ("moved", 1, 2)]


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (1000, [7])])
async def test_is_read_page_by_page_by_following_the_links(
    client: httpx.AsyncClient, limit: int, sizes: list[int]
) -> None:
    await asyncio.gather(*(register(client, f"r{n}", domain=f"d{n}") for n in range(7)))
    await searchable(client)

    answers = [await client.get(f"{PATH}?limit={limit}")]
    while "next" in answers[-1].links:
        answers.append(await client.get(answers[-1].links["next"]["url"]))

    pages: list[dict[str, Any]] = [answer.json() for answer in answers]
    assert [len(page["domains"]) for page in pages] == sizes
    assert [row["domain"] for page in pages for row in page["domains"]] == [f"d{n}" for n in range(7)]
    assert {page["total"] for page in pages} == {7}
    assert [page["next"] is None for page in pages] == [False] * (len(sizes) - 1) + [True]


async def test_shows_a_hundred_at_a_time_unless_a_limit_is_given(client: httpx.AsyncClient) -> None:
    await asyncio.gather(*(register(client, f"r{n:03}", domain=f"d{n:03}") for n in range(101)))
    await searchable(client)

    body = (await client.get(PATH)).json()

    assert (len(body["domains"]), body["total"]) == (100, 101)
    assert await listed(client, f"cursor={body['next']}") == [("d100", 1, 0)]


async def test_a_copy_is_good_until_a_count_changes(full: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    first = await full.get(PATH)
    same = await full.get(PATH, headers={"If-None-Match": first.headers["etag"]})
    upstream.get(url_of("first")).respond(content=index(capability(2), capability(3), capability(5)))
    await refresh(full, "first")
    other = await full.get(PATH, headers={"If-None-Match": first.headers["etag"]})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert first.headers["cache-control"] == same.headers["cache-control"] == "no-cache"
    assert other.status_code == 200
    assert int(other.headers["reuse-surface-serial"]) > int(first.headers["reuse-surface-serial"])


async def test_tells_the_edition_whose_capabilities_it_counts(full: httpx.AsyncClient) -> None:
    searched = await full.get("/v1/capabilities")

    assert (await full.get(PATH)).headers["reuse-surface-serial"] == searched.headers["reuse-surface-serial"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=ten", "cursor=a", "cursor=", "domain=home", "q=x"])
async def test_refuses_a_query_that_it_does_not_understand(client: httpx.AsyncClient, query: str) -> None:
    assert query.split("=", maxsplit=1)[0] in problem(await client.get(f"{PATH}?{query}"), "bad-query")["detail"]


async def test_asks_no_source(full: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    asked = upstream.calls.call_count

    await listed(full)

    assert upstream.calls.call_count == asked
