from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from functions.pages import source
from functions.pages.source import MOST_ENTRIES
from shared.pages.searching import described
from tests.builders import WRITER, capability, index, refresh, register, served, url_of
from tests.functions.pages.reading import read

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.model.capability import Capability
    from shared.settings import Settings

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
    for text in ("fresh required", "Where states live", "The last check found it in order.", "only when asked for",
                 "HTTP 200",
                 "by operator", "revision 1", "2 entries", "Example 1 capability.example.n1 D5 A4", "Reads states.",
                 "register by operator", "[![reuse-surface](http://hub/v1/repos/state-hub/badge.svg)]"):  # fmt: skip
        assert text in page.whole, text
    assert url_of("state-hub") in [link["href"] for link, _ in page.links()]


async def test_tells_what_is_wrong_with_one_that_failed(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream, b"version: [")
    await refresh(client)

    page = await read(client, "/sources/state-hub")

    assert "Line " in page.whole
    assert "Nothing of this source is served: its last check failed." in page.whole
    assert "/problems/invalid-index" in [link["href"] for link, _ in page.links()]


async def test_tells_what_was_changed(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream, index(), description=HURT)
    await client.patch("/v1/repos/state-hub", json={"domain": "railiance", "enabled": False}, headers=WRITER)

    page = await read(client, "/sources/state-hub")

    assert "update by operator 23 Nov 2026, 10:00 UTC revision 2" in page.whole
    assert "domain helix_forge railiance" in page.whole
    assert "enabled true false" in page.whole
    assert "not while it is disabled" in page.whole
    assert "not planned" in page.whole


async def test_what_a_publisher_wrote_is_text(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    bad = capability(1, name=HURT, summary=HURT, vector=HURT, owner=HURT)
    await publish(client, upstream, index(bad), description=HURT)

    page = await read(client, "/sources/state-hub")

    assert page.whole.count(HURT) == 3
    assert "49" not in page.text("main").replace("10:49", "")


async def test_shows_so_many_entries_and_says_how_many_more(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream, index(*(capability(number) for number in range(MOST_ENTRIES + 2))))

    page = await read(client, "/sources/state-hub")

    assert page.markup.count('<div class="name">') == MOST_ENTRIES
    served = ("/capabilities?repo=state-hub", "Search those that are served")
    assert served in [(link["href"], text) for link, text in page.links()]
    assert "And 2 more entries." in page.whole


@pytest.mark.parametrize("repo", ["nobody", "%3Cscript%3E"])
async def test_says_that_it_knows_no_other(client: httpx.AsyncClient, repo: str) -> None:
    page = await read(client, f"/sources/{repo}", status=404)

    assert page.text("h1") == "No such repo"
    assert "/problems/repo-not-found" in [link["href"] for link, _ in page.links()]


async def test_tells_what_waits_for_somebody(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream, index(*(capability(number) for number in range(100))))
    upstream.get(url_of("state-hub")).respond(content=index(capability(2)), headers={"ETag": '"<b>"'})
    await refresh(client)

    page = await read(client, "/sources/state-hub")

    assert "99 of 100 entries would vanish" in page.whole
    assert "and 39 more" in page.whole
    assert "1 finding warning held" in page.whole
    assert "Accept what is held" in page.whole
    digest = (await client.get("/v1/repos/state-hub")).json()["source"]["held_digest"]
    assert f'data-digest="{digest}"' in (await client.get("/sources/state-hub", headers={"Accept": "text/html"})).text


async def test_of_what_is_held_says_whether_it_gets_in_by_itself_and_what_is_served(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream, index(capability(1)))
    emptied = index(capabilities=[])
    upstream.get(url_of("state-hub")).respond(content=emptied)
    await refresh(client)
    on = await read(client, "/sources/state-hub")
    await client.patch("/v1/repos/state-hub", json={"enabled": False}, headers=WRITER)
    off = await read(client, "/sources/state-hub")

    assert "The only entry would vanish" in on.whole
    assert "lacks them, so it waits, and the content before it stays in use." in on.whole
    assert "it gets in by itself when every check of 24 hours has seen it." in on.whole
    assert f"Last valid index {len(emptied)} bytes" in on.whole
    assert "Accept what is held of state-hub? What it no longer names leaves the federated index." in on.markup
    assert "Disable state-hub? 1 capability of it leaves the federated index." in on.markup
    assert "The only entry would vanish" in off.whole
    assert "1 entry, not served" in off.whole
    assert "lacks them, so it waits. Accept it if that is meant; while the source is disabled it does not" in off.whole
    assert "in use" not in off.whole


async def test_tells_the_validators(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(), headers={"ETag": '"<b>"', "Last-Modified": "yesterday"})
    await register(client)
    await refresh(client)

    page = await read(client, "/sources/state-hub")

    assert 'ETag: "<b>" Last-Modified: yesterday' in page.whole


async def test_offers_no_deeds_where_nothing_can_be_changed(settings: Settings) -> None:
    async with served(settings) as client:
        await register(client)
    async with served(replace(settings, token=None)) as client:
        page = await read(client, "/sources/state-hub")

    assert "nothing can be changed here" in page.whole
    assert "data-do" not in page.markup


async def test_tells_the_last_changes_in_its_entries(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream, index(*(capability(number) for number in range(10, 30))))
    upstream.get(url_of("state-hub")).respond(content=index(*(capability(number) for number in range(11, 30))))
    await refresh(client)

    page = await read(client, "/sources/state-hub")

    assert "1 went: capability.example.n10" in page.whole
    assert "20 came or changed: capability.example.n10 " in page.whole
    assert "and 8 more" in page.whole
    for link, text in page.links():
        if text == "JSON" and "changes" in link["href"]:
            assert (await client.get(link["href"])).status_code == 200


async def test_tells_how_many_entries_are_served_and_who_serves_the_ids_of_the_others(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("rival")).respond(content=index(capability(1, name="Mine")))
    await register(client, "rival")
    await refresh(client, "rival")
    await publish(client, upstream, index(capability(1), capability(2)))

    page = await read(client, "/sources/state-hub")

    assert "2 entries, 1 of them served" in page.whole
    assert "Served from others: 1 id from rival." in page.whole
    assert page.whole.count("not served: the id is served from rival") == 1


async def test_of_a_disabled_source_no_entry_counts_as_served(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream, index(capability(1), capability(2)))
    await client.patch("/v1/repos/state-hub", json={"enabled": False}, headers=WRITER)

    page = await read(client, "/sources/state-hub")

    assert "2 entries, 0 of them served" in page.whole
    assert "Nothing of this source is served: it is disabled." in page.whole


async def test_tells_how_often_it_is_checked_where_the_hub_checks_in_the_background(
    settings: Settings, upstream: respx.MockRouter
) -> None:
    async with served(replace(settings, refresh=True)) as client:
        await register(client, enabled=False)
        off = await read(client, "/sources/state-hub")
        upstream.get(url_of("other")).respond(content=index())
        await register(client, "other", cache_ttl_seconds=7200)

        page = await read(client, "/sources/other")

    assert "not while it is disabled" in off.whole
    assert "Checked every 2 h" in page.whole


async def test_the_size_of_what_is_served_is_not_told_as_that_of_the_last_answer(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    content = index()
    await publish(client, upstream, content)
    upstream.get(url_of("state-hub")).respond(404)
    await refresh(client)

    page = await read(client, "/sources/state-hub")

    assert f"not counted Last valid index {len(content)} bytes" in page.whole
    assert "Answer HTTP 404 to the last check Time to answer 0 ms in the last check, redirects included;" in page.whole


async def test_entries_are_read_beside_the_event_loop(
    client: httpx.AsyncClient, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(client, upstream, index(capability(1), capability(2)))
    on_loop: list[bool] = []

    def noting(entry: Capability) -> dict[str, Any]:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return described(entry)

    monkeypatch.setattr(source, "described", noting)
    await read(client, "/sources/state-hub")

    assert on_loop == [False, False]
