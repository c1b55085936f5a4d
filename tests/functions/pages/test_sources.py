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
async def some(client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands) -> httpx.AsyncClient:
    """A client of a hub with a source in order, one that failed, and one that was not read."""
    upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)))
    upstream.get(url_of("bad")).respond(content=b"version: [")
    await register(client, description="Finds <b>states</b>")
    await register(client, "bad", domain="railiance", required=True)
    await register(client, "new")
    for repo in ("state-hub", "bad"):
        await refresh(client, repo)
    hands.advance(600)
    return client


def names(page: Page) -> list[str]:
    """Return the repos of the table in its order."""
    return [text for link, text in page.links() if link["href"].startswith("/sources/")]


async def test_shows_every_source_with_what_is_known_about_it(some: httpx.AsyncClient) -> None:
    page = await read(some, "/sources")

    assert names(page) == ["bad", "new", "state-hub"]
    assert page.text("main").startswith("Sources Find State any")
    assert "state-hub fresh helix_forge no 2 10 min ago 10 min ago 10 min ago not planned none" in page.whole
    assert "new never helix_forge no 0 never never never not planned none" in page.whole
    assert re.search("bad failed railiance required 0 10 min ago never never .* invalid-index Line ", page.whole)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?sort=entries&order=down", ["state-hub", "bad", "new"]),
        ("?sort=state", ["bad", "new", "state-hub"]),
        ("?sort=required&order=down", ["new", "state-hub", "bad"]),
        ("?sort=error&order=down", ["new", "state-hub", "bad"]),
        ("?state=never", ["new"]),
        ("?domain=railiance", ["bad"]),
        ("?q=%20STATES%20", ["state-hub"]),
        ("?q=&state=&domain=&page=1&utm_source=x", ["bad", "new", "state-hub"]),
        ("?page=2", []),
    ],
)
async def test_shows_what_is_asked_for(some: httpx.AsyncClient, query: str, found: list[str]) -> None:
    assert names(await read(some, f"/sources{query}")) == found


async def test_says_how_many_of_all_it_shows(some: httpx.AsyncClient) -> None:
    assert "3 sources" in (await read(some, "/sources")).whole
    assert "1 of 3 sources" in (await read(some, "/sources?state=never")).whole
    assert "No source matches these filters. Show all 3" in (await read(some, "/sources?q=nobody")).whole


async def test_says_that_nothing_is_registered(client: httpx.AsyncClient) -> None:
    assert "No repository is registered. Register one" in (await read(client, "/sources")).whole


@pytest.mark.parametrize("query", ["?state=broken", "?sort=colour", "?order=up", "?domain=No%20Slug", "?page=0"])
async def test_says_what_can_not_be_asked_for(some: httpx.AsyncClient, query: str) -> None:
    page = await read(some, f"/sources{query}", status=400)

    assert page.text("h1") == "The query is not understood"
    assert "must be" in page.text("main")


async def test_leads_from_page_to_page(client: httpx.AsyncClient, hub: Hub) -> None:
    for number in range(101):
        await register(client, f"r{number:03}")

    first, second = await read(client, "/sources?q=r"), await read(client, "/sources?q=r&page=2")

    assert (len(names(first)), names(second)) == (100, ["r100"])
    assert ("/sources?q=r&page=2", "Next") in [(link["href"], text) for link, text in first.links()]
    assert ("/sources?q=r", "Previous") in [(link["href"], text) for link, text in second.links()]
    assert "Page 2 of 2" in second.whole
    assert len(await hub.store.registrations()) == 101


async def test_what_a_publisher_wrote_is_text(client: httpx.AsyncClient) -> None:
    await register(client, description="<script>alert(1)</script>", url="https://git.example.org/%22%3E?b&amp;")

    page = await read(client, "/sources?q=<script>")

    assert "1 source" in page.whole
    assert 'value="&lt;script&gt;"' in page.markup


async def test_counts_what_is_served_and_sorts_by_that(some: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("fork")).respond(content=index(capability(1), capability(2), capability(3)))
    await register(some, "fork")
    await refresh(some, "fork")

    page = await read(some, "/sources?sort=entries&order=down")

    assert names(page)[:2] == ["state-hub", "fork"]
    assert "fork fresh helix_forge no 1 of 3 just now" in page.whole
    assert "state-hub fresh helix_forge no 2 10 min ago" in page.whole


async def test_a_misspelt_domain_is_named_and_stays_chosen(some: httpx.AsyncClient) -> None:
    page = await read(some, "/sources?domain=nope")

    assert "No repository is registered in the domain nope. Show all 3" in page.whole
    assert "<option selected>nope</option>" in page.markup
    assert "No source matches these filters." in (await read(some, "/sources?state=held")).whole
    assert "This page of the table is empty." in (await read(some, "/sources?page=2")).whole
