from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from functions.pages.source import MOST_ENTRIES
from tests.builders import WRITER, capability, index, refresh, register, url_of
from tests.functions.pages.reading import read

if TYPE_CHECKING:
    import httpx
    import respx

HURT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;{{ 7*7 }}"


async def publish(client: httpx.AsyncClient, upstream: respx.MockRouter, content: bytes, **about: Any) -> None:
    upstream.get(url_of("state-hub")).respond(content=content)
    await register(client, **about)
    await refresh(client)


async def test_tells_all_about_a_source_that_is_in_order(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    entry = capability(1, summary="Reads states.", vector="D5 / A4 / C3 / R2", url="https://example.org/1")
    await publish(client, upstream, index(entry, capability(2)), description="Where states live", required=True)

    page = await read(client, "/sources/state-hub")

    assert page.text("h1") == "state-hub"
    for text in ("fresh required", "Where states live", "The last check found it in order.", "every 1 h", "HTTP 200",
                 "by operator", "revision 1", "2 entries", "Example 1 capability.example.n1 D5 / A4", "Reads states.",
                 "register by operator", "[![reuse-surface](http://hub/v1/repos/state-hub/badge.svg)]"):  # fmt: skip
        assert text in page.whole, text
    assert url_of("state-hub") in [link["href"] for link, _ in page.links()]


async def test_tells_what_is_wrong_with_one_that_failed(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream, b"version: [")
    await refresh(client)

    page = await read(client, "/sources/state-hub")

    assert "invalid-index, 2 times in a row Line " in page.whole
    assert "Nothing of this source is served." in page.whole
    assert "/problems/invalid-index" in [link["href"] for link, _ in page.links()]


async def test_tells_what_was_changed(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream, index(), description=HURT)
    await client.patch("/v1/repos/state-hub", json={"domain": "railiance", "enabled": False}, headers=WRITER)

    page = await read(client, "/sources/state-hub")

    assert "update by operator 23 Nov 2026, 10:00 UTC revision 2" in page.whole
    assert "domain helix_forge railiance" in page.whole
    assert "not while it is disabled" in page.whole
    assert "not planned" in page.whole


async def test_what_a_publisher_wrote_is_text(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    bad = capability(1, name=HURT, summary=HURT, vector=HURT, owner=HURT)
    await publish(client, upstream, index(bad), description=HURT)

    page = await read(client, "/sources/state-hub")

    assert page.whole.count(HURT) == 4
    assert "49" not in page.text("main").replace("10:49", "")


async def test_shows_so_many_entries_and_says_how_many_more(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream, index(*(capability(number) for number in range(MOST_ENTRIES + 2))))

    page = await read(client, "/sources/state-hub")

    assert page.markup.count("<li><div><strong>") == MOST_ENTRIES
    assert "2 more entries not shown here." in page.whole


@pytest.mark.parametrize("repo", ["nobody", "%3Cscript%3E"])
async def test_says_that_it_knows_no_other(client: httpx.AsyncClient, repo: str) -> None:
    page = await read(client, f"/sources/{repo}", status=404)

    assert page.text("h1") == "No such repo"
    assert "/problems/repo-not-found" in [link["href"] for link, _ in page.links()]
