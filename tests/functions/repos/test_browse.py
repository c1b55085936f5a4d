from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import WRITER, index, problem, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx


async def names(client: httpx.AsyncClient, query: str = "") -> list[str]:
    return [row["repo"] for row in (await client.get(f"/v1/repos?{query}")).json()["repos"]]


async def test_answers_an_empty_list_of_an_empty_hub(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/repos")

    assert (answer.status_code, answer.json()) == (200, {"repos": [], "total": 0, "next": None})
    assert "link" not in answer.headers


async def test_lists_in_the_order_of_the_names_what_show_shows(client: httpx.AsyncClient) -> None:
    for repo in ("b", "a.b", "a", "a-b"):
        await register(client, repo)

    rows = (await client.get("/v1/repos")).json()["repos"]

    assert [row["repo"] for row in rows] == ["a", "a-b", "a.b", "b"]
    assert rows[0] == (await client.get("/v1/repos/a")).json()


@pytest.fixture
async def varied(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with a source in each state that a first check leads to, and one that was not checked."""
    upstream.get(url_of("good")).respond(content=index())
    upstream.get(url_of("bad")).respond(404)
    for repo, domain in (("good", "one"), ("bad", "two"), ("new", "two")):
        await register(client, repo, domain=domain)
    await register(client, "off", domain="one", enabled=False)
    await refresh(client, "good")
    await refresh(client, "bad")
    return client


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("domain=one", ["good", "off"]),
        ("domain=nobody", []),
        ("enabled=true", ["bad", "good", "new"]),
        ("enabled=false", ["off"]),
        ("state=never", ["new"]),
        ("state=fresh", ["good"]),
        ("state=failed", ["bad"]),
        ("state=stale", []),
        ("state=disabled", ["off"]),
        ("domain=two&enabled=true&state=never", ["new"]),
        ("domain=one&enabled=true&state=never", []),
    ],
)
async def test_filters(varied: httpx.AsyncClient, query: str, wanted: list[str]) -> None:
    assert await names(varied, query) == wanted
    assert (await varied.get(f"/v1/repos?{query}&limit=1")).json()["total"] == len(wanted)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=",
        "limit=ten",
        "limit=1.0",
        "limit=%D9%A1",
        "enabled=yes",
        "enabled=True",
        "enabled=1",
        "state=happy",
        "state=Fresh",
        "domain=Helix",
        "domain=",
        "cursor=%21%21%21%21",
        "cursor=",
        "cursor=a",
        "cursor=YQ==YQ==",
        "cursor=_w==",
        "cursor=%C3%A9",
        "format=yaml",
        "q=x",
    ],
)
async def test_refuses_a_query_that_it_does_not_understand(client: httpx.AsyncClient, query: str) -> None:
    assert query.split("=", maxsplit=1)[0] in problem(await client.get(f"/v1/repos?{query}"), "bad-query")["detail"]


async def pages(client: httpx.AsyncClient, first: str) -> list[dict[str, Any]]:
    answers = [await client.get(first)]
    while "next" in answers[-1].links:
        answers.append(await client.get(answers[-1].links["next"]["url"]))
    assert all(answer.status_code == 200 for answer in answers)
    return [answer.json() for answer in answers]


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (1000, [7])])
async def test_is_read_page_by_page_by_following_the_links(
    client: httpx.AsyncClient, limit: int, sizes: list[int]
) -> None:
    await asyncio.gather(*(register(client, f"r{n}", domain="one") for n in range(7)))
    await register(client, "z", domain="two")

    found = await pages(client, f"/v1/repos?domain=one&limit={limit}")

    assert [len(page["repos"]) for page in found] == sizes
    assert [row["repo"] for page in found for row in page["repos"]] == [f"r{n}" for n in range(7)]
    assert {page["total"] for page in found} == {7}
    assert [page["next"] is None for page in found] == [False] * (len(sizes) - 1) + [True]


async def test_is_read_page_by_page_by_repeating_the_request_with_the_cursor(client: httpx.AsyncClient) -> None:
    for repo in ("a", "b", "c"):
        await register(client, repo)

    first = (await client.get("/v1/repos", params={"limit": 2})).json()
    second = (await client.get("/v1/repos", params={"limit": 2, "cursor": first["next"]})).json()

    assert ([row["repo"] for row in second["repos"]], second["next"]) == (["c"], None)


async def test_neither_repeats_nor_skips_what_stays_when_the_list_changes_between_pages(
    client: httpx.AsyncClient,
) -> None:
    for repo in ("b", "c", "d", "e"):
        await register(client, repo)
    first = await client.get("/v1/repos?limit=2")

    await register(client, "a")
    for repo in ("b", "c", "d"):
        await client.delete(f"/v1/repos/{repo}", headers=WRITER)
    second = await client.get(first.links["next"]["url"])

    assert [row["repo"] for row in second.json()["repos"]] == ["e"]


async def test_shows_a_hundred_at_a_time_unless_told(client: httpx.AsyncClient) -> None:
    await asyncio.gather(*(register(client, f"r{n:03}") for n in range(101)))

    assert [len(page["repos"]) for page in await pages(client, "/v1/repos")] == [100, 1]


async def test_says_that_no_registration_has_the_domain(client: httpx.AsyncClient) -> None:
    await register(client, domain="railiance")

    misspelt = (await client.get("/v1/repos?domain=raliance")).json()
    other = (await client.get("/v1/repos?domain=railiance&state=failed")).json()

    assert (misspelt["total"], misspelt["unmatched"]) == (0, ["domain"])
    assert other == {"repos": [], "total": 0, "next": None}
