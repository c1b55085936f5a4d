from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import capability, index, refresh, register, url_of
from tests.functions.pages.reading import read

if TYPE_CHECKING:
    import httpx
    import respx


@pytest.fixture
async def troubled(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with a repo that was never fetched, one that fails, and one with two faults."""
    upstream.get(url_of("down")).respond(500)
    upstream.get(url_of("bad")).respond(content=b"version: 1\ncapabilities:\n- id: Upper\n  name: 7\n")
    for repo in ("down", "bad", "new"):
        await register(client, repo)
    await refresh(client, "down")
    await refresh(client, "bad")
    return client


async def test_says_what_is_wrong_where_and_what_to_do(troubled: httpx.AsyncClient) -> None:
    page = await read(troubled, "/findings")
    told = (await troubled.get("/v1/findings")).json()

    assert f"{told['total']} findings" in page.whole
    for finding in told["findings"]:
        assert finding["detail"] in page.whole
    assert "What to do: Have it checked now: “Check it now” on the page of new." in page.whole
    assert "/v1/repos" not in page.text("main")
    assert "2 places Line 3, column 7: /capabilities/0/id" in page.whole
    assert "invalid-entry, failed · line 3, column 7 · since 23 Nov 2026, 10:00 UTC" in page.whole


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?severity=info", 1),
        ("?kind=failed", 2),
        ("?repo=bad&kind=invalid-entry&utm=x", 1),
        ("?page=2", 0),
    ],
)
async def test_shows_what_is_asked_for_and_its_json(troubled: httpx.AsyncClient, query: str, found: int) -> None:
    page = await read(troubled, f"/findings{query}")

    assert page.markup.count('class="todo"') == found
    address = next(link["href"] for link, text in page.links() if text == "JSON of this list")
    assert (await troubled.get(address)).json()["total"] == (3 if "page" in query else found)


async def test_says_that_nothing_is_wrong(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(capability(1)))
    await register(client)
    await refresh(client)

    said = (
        "No finding: the last check of the enabled source found it in order. "
        "This hub does not check in the background, so that may be long ago."
    )
    assert said in (await read(client, "/findings")).whole
    assert said in (await read(client, "/")).whole


async def test_says_no_more_than_was_checked(client: httpx.AsyncClient) -> None:
    none = (await read(client, "/findings")).whole
    await register(client, enabled=False)

    assert "No repository is registered, so nothing was checked." in none
    off = (await read(client, "/findings")).whole
    assert "No finding. 1 source is disabled and not checked." in off


async def test_says_that_a_name_is_not_registered(troubled: httpx.AsyncClient) -> None:
    assert "No repository is registered under the name nobody." in (await read(troubled, "/findings?repo=nobody")).whole
    assert "No finding matches these filters." in (await read(troubled, "/findings?severity=warning")).whole


async def test_names_every_misspelt_filter_also_where_there_is_no_finding(client: httpx.AsyncClient) -> None:
    page = (await read(client, "/findings?repo=nobody&domain=nowhere")).whole

    assert "No repository is registered under the name nobody. No repository is" in page
    assert "registered in the domain nowhere. Remove the filters" in page


async def test_shows_one_domain_which_each_repo_leads_to(troubled: httpx.AsyncClient) -> None:
    await register(troubled, "other", domain="railiance")

    page = await read(troubled, "/findings")
    link = next(link["href"] for link, text in page.links() if text == "railiance")
    one = await read(troubled, link)

    assert link == "/findings?domain=railiance"
    assert "1 of 4 findings" in one.whole
    assert next(text for name, about, text in one.elements if about.get("class") == "of-repo") == "other"
    taken_back = [about["href"] for about, text in one.links() if text.startswith("Remove the filter railiance")]
    assert taken_back == ["/findings"]


@pytest.mark.parametrize("query", ["?severity=bad", "?kind=odd", "?repo=No%20Slug", "?page=0"])
async def test_says_what_can_not_be_asked_for(client: httpx.AsyncClient, query: str) -> None:
    assert "must be" in (await read(client, f"/findings{query}", status=400)).text("main")
