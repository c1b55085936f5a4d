from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.builders import capability, index, refresh, register, url_of
from tests.functions.pages.reading import Page, read

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from tests.builders import Hands


@pytest.fixture
async def some(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with a source in order, a required one that failed, and one that was not read."""
    upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)))
    upstream.get(url_of("bad")).respond(content=b"version: [")
    await register(client)
    await register(client, "bad", domain="railiance", required=True)
    await register(client, "new")
    for repo in ("state-hub", "bad"):
        await refresh(client, repo)
    return client


async def overview(client: httpx.AsyncClient) -> Page:
    return await read(client, "/")


async def test_says_how_much_there_is_and_in_which_state(some: httpx.AsyncClient) -> None:
    page = await overview(some)

    assert page.text("h1") == "2 capabilities offered for reuse by 1 repository"
    states = [(link["href"], text) for link, text in page.links() if link["href"].startswith("/sources?state=")]
    assert states == [(f"/sources?state={state}", f"1 {state}") for state in ("fresh", "failed", "never")]


async def test_says_what_is_missing_and_what_is_worth_a_look(some: httpx.AsyncClient) -> None:
    page = await overview(some)

    assert "Missing: bad. This source is required, and nothing of it is served. Why," in page.whole
    assert page.whole.count("error bad · ") == 1
    cause, other = "error bad · invalid-entry, failed, missing-required", "info new · never-fetched"
    assert page.whole.index(cause) < page.whole.index(other)
    assert "What to do: Have it checked now: “Check it now” on the page of new" in page.whole


async def test_draws_every_source_and_tells_its_domain_in_words(some: httpx.AsyncClient) -> None:
    page = await overview(some)

    assert page.markup.count("<use href") >= 3
    assert "helix_forge 2 capabilities from 2 sources, 1 never" in page.whole
    assert "railiance 0 capabilities from 1 source, 1 failed" in page.whole


async def test_is_a_beginning_where_nothing_is_registered(client: httpx.AsyncClient) -> None:
    page = await overview(client)

    assert page.text("h1") == "No repository is registered"
    assert "curl -X POST http://hub/v1/repos" in page.whole


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/json, text/html;q=0.9"])
async def test_tells_programs_where_to_go_on(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/", headers={"Accept": accept})

    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["vary"] == "Accept"
    for link in answer.json()["links"].values():
        assert link.startswith("http://hub/")
        assert (await client.get(link)).status_code == 200, link


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_leads_other_systems_to_the_catalogs(client: httpx.AsyncClient, accept: str) -> None:
    link = (await client.get("/", headers={"Accept": accept})).headers["link"]

    assert re.findall(r'<([^>]*)>; rel="([^"]*)"', link) == [
        ("/.well-known/ard.json", "ard"), ("/.well-known/ai-catalog.json", "ai-catalog"),
    ]  # fmt: skip


async def test_ignores_what_others_add_to_its_address(client: httpx.AsyncClient) -> None:
    assert (await client.get("/?utm_source=mail&state=", headers={"Accept": "text/html"})).status_code == 200


async def test_freshness_over_time_begins_with_the_first_minute(
    some: httpx.AsyncClient, hub: Hub, hands: Hands
) -> None:
    await hub.timeline.look()
    assert "The picture of how many sources were in each state begins when" in (await overview(some)).whole

    hands.advance(120)
    page = await overview(some)

    said = "Over the last 2 min, 1 of at most 3 sources was fresh at a time; now 1 of 3 is."
    assert page.whole.count(said) == 2
    assert "From (UTC) fresh failed never fewest fresh 23 Nov, 10:01 1 1 1 1 23 Nov, 10:00 1 1 1 1" in page.whole


async def test_looks_back_as_far_as_the_address_says(some: httpx.AsyncClient, hub: Hub, hands: Hands) -> None:
    await hub.timeline.look()
    hands.advance(3 * 86400)
    await hub.timeline.look()

    day, week = await read(some, "/?over=day"), await read(some, "/")

    assert "Over the last 24 h" in day.whole
    assert "Nothing was recorded for 3 days: the hub did not run, or was stopped before it had saved" in week.whole
    assert ("/?over=week#fresh-title", "7 days") in [(link["href"], text) for link, text in day.links()]
    assert (await read(some, "/?over=year", status=400)).text("h1") == "The query is not understood"
