from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import capability, index, refresh, register, searchable, url_of
from tests.functions.pages.reading import Page, read

if TYPE_CHECKING:
    import httpx
    import respx

HURT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
async def some(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub that offers two capabilities of one repo and forty of another."""
    invoices = capability(1, name="Read invoices", vector="D5 / A4 / C3 / R2", status="stable", tags=["money"])
    bad = capability(2, name=HURT, summary=HURT, owner=HURT, status=HURT, tags=[HURT], url="https://a.example/?<b>")
    base = "https://git.example.org/state-hub/"
    upstream.get(url_of("state-hub")).respond(content=index(invoices | {"path": "a.md"}, bad, base_url=base))
    upstream.get(url_of("many")).respond(content=index(*(capability(number) for number in range(10, 50))))
    await register(client)
    await register(client, "many", domain="railiance")
    for repo in ("state-hub", "many"):
        await refresh(client, repo)
    return await searchable(client)


def ids(page: Page) -> list[str]:
    """Return the ids that are shown."""
    return [text for name, _, text in page.elements if name == "code" and text.startswith("capability.")]


async def test_shows_all_in_pages(some: httpx.AsyncClient) -> None:
    first = await read(some, "/capabilities")
    more = next(link["href"] for link, text in first.links() if text == "Next page")
    second = await read(some, more)

    assert "42 capabilities" in first.whole
    assert len({*ids(first), *ids(second)}) == 42
    assert not any(text.startswith("Next") for _, text in second.links())


async def test_shows_what_is_found_with_all_about_it(some: httpx.AsyncClient) -> None:
    page = await read(some, "/capabilities?q=READ+inv")

    assert "1 capability for “READ inv”" in page.whole
    assert "Read invoices capability.example.n1 D5 A4 C3 R2 state-hub helix_forge stable money JSON" in page.whole
    links = [link["href"] for link, _ in page.links()]
    assert "https://git.example.org/state-hub/a.md" in links
    one = "/v1/capabilities/state-hub/capability.example.n1"
    for link in ("/v1/capabilities?q=READ+inv", one, "/sources/state-hub"):
        assert link in links
        assert (await some.get(link)).status_code == 200


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?domain=helix_forge", 2),
        ("?repo=many&q=example", 40),
        ("?min_definition=D5", 1),
        ("?tag=money&status=stable&colour=red&owner=", 1),
        ("?q=nobody", 0),
        ("?q=!!!", 0),
    ],
)
async def test_finds_by_words_and_facts(some: httpx.AsyncClient, query: str, found: int) -> None:
    page = await read(some, f"/capabilities{query}")

    assert len(ids(page)) == min(found, 30)
    assert ("No capability matches. Every word must be found" in page.whole) is (found == 0)


async def test_a_filter_can_be_added_and_taken_back(some: httpx.AsyncClient) -> None:
    page = await read(some, "/capabilities?q=example&domain=helix_forge")

    links = {text: link["href"] for link, text in page.links()}
    assert links["stable"] == "/capabilities?q=example&domain=helix_forge&status=stable"
    assert links["Remove the filter domain: helix_forge \N{MULTIPLICATION SIGN}"] == "/capabilities?q=example"
    assert 'name="domain" value="helix_forge"' in page.markup


async def test_what_a_publisher_wrote_is_text(some: httpx.AsyncClient) -> None:
    page = await read(some, "/capabilities?q=script")

    assert page.text("main").count(HURT) == 6  # name, summary, status, tag, and two facets


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?domain=nope", "No served capability has the domain nope. Show all"),
        ("?repo=nope&tag=money", "No served capability has the repo nope. Show all"),
        ("?owner=nobody&tag=nothing", "No served capability has the owner nobody, none the tag nothing. Show all"),
        ("?min_reliability=R9", "No served capability has the level of reliability R9 or more. Show all"),
        ("?q=nowhere", "at least as the beginning of a word. Show all"),
        ("?q=nowhere&tag=money", "at least as the beginning of a word, and every filter has to hold. Show all"),
        ("?tag=money&repo=many", "No capability matches. Each filter finds some, but none is found by all of them."),
    ],
)
async def test_names_what_no_capability_has(some: httpx.AsyncClient, query: str, said: str) -> None:
    assert said in (await read(some, f"/capabilities{query}")).whole


@pytest.mark.parametrize("query", ["", "?q=invoice", "?domain=nope"])
async def test_says_that_nothing_is_served(client: httpx.AsyncClient, query: str) -> None:
    page = await read(client, f"/capabilities{query}")

    assert "No capability is served at present. The sources and their states" in page.whole
    assert "Show all" not in page.whole


async def test_what_publishers_wrote_is_set_apart_from_the_text_around_it(some: httpx.AsyncClient) -> None:
    apart = [text for name, _, text in (await read(some, "/capabilities?q=script")).elements if name == "bdi"]

    assert apart.count(HURT) == 5  # name, status, tag, and two facets; the summary is a paragraph of its own
    assert '<p class="summary" dir="auto">&lt;script' in (await read(some, "/capabilities?q=script")).markup


@pytest.mark.parametrize("query", ["?cursor=x", "?min_reliability=high", f"?tag={'x' * 201}"])
async def test_says_what_can_not_be_asked_for(client: httpx.AsyncClient, query: str) -> None:
    page = await read(client, f"/capabilities{query}", status=400)

    assert page.text("h1") == "The query is not understood"
