"""The pages of a hub under a path of its host: what a browser asks for stays beneath it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import running
from tests.browser.test_acting import do, entries, fill, registered
from tests.builders import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Site


@pytest.fixture
def beneath(browser: Browser, tmp_path: Path) -> Iterator[Site]:
    """A hub with three sources under /reuse, for one test to change."""
    assert browser.is_connected()
    with running(tmp_path, 3, "/reuse") as site:
        yield site


def listen(page: Page) -> list[tuple[str, int]]:
    """Return a list that receives the path and the status of each answer that *page* gets."""
    heard: list[tuple[str, int]] = []
    page.on("response", lambda answer: heard.append((urlsplit(answer.url).path, answer.status)))
    return heard


def outside(heard: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return those of *heard* that are not beneath /reuse, or failed."""
    return [one for one in heard if not one[0].startswith("/reuse/") or one[1] not in {200, 201, 304}]


def test_each_page_is_styled_and_leads_to_the_others(page: Page, beneath: Site) -> None:
    heard = listen(page)
    page.goto(f"{beneath.url}/")
    for name in ("Capabilities", "Sources", "Findings", "Register", "Overview"):
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        expect(page.get_by_role("navigation", name="Pages").locator("[aria-current=page]")).to_have_text(name)
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "flex"
    page.locator("#q").fill("ledger")
    page.locator("#q").press("Enter")
    page.wait_for_url("**/reuse/capabilities?q=ledger")
    page.goto(f"{beneath.url}/sources/reuse-surface")
    expect(page.locator("img[src$='badge.svg']")).to_have_js_property("naturalHeight", 20)

    assert outside(heard) == []
    assert {"/reuse/sources", "/reuse/findings", "/reuse/assets/hub.js"} <= {path for path, _ in heard}


def test_what_shows_while_one_types_and_the_search_for_news_stay_beneath(page: Page, beneath: Site) -> None:
    heard = listen(page)
    page.goto(f"{beneath.url}/capabilities")
    page.locator("#q").press_sequentially("read")
    page.wait_for_url("**/reuse/capabilities?q=read")
    with page.expect_response("**/v1/federated") as news:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    assert urlsplit(news.value.url).path == "/reuse/v1/federated"
    assert outside(heard) == []


def test_registering_and_checking_stay_beneath(page: Page, beneath: Site) -> None:
    beneath.publish("fourth", entries(1))
    heard = listen(page)
    page.goto(f"{beneath.url}/register")
    fill(page, beneath)
    page.locator("#try .token").fill(TOKEN)
    for button in ("Try it", "Register it"):
        do(page, button, "#try")
    page.locator("#check textarea").fill("version: 1\ncapabilities: []\n")
    do(page, "Check it", "#check")
    page.locator("#try .outcome a").click()
    page.wait_for_url("**/reuse/sources/fourth")
    page.locator("#act .token").fill(TOKEN)
    page.on("dialog", lambda dialog: dialog.accept())
    for button in ("Check it now", "Disable", "Enable"):
        do(page, button)

    assert "fourth" in registered(beneath)
    assert outside(heard) == []
    asked = {path.removeprefix("/reuse") for path, _ in heard}
    assert {"/v1/validate", "/v1/repos", "/v1/repos/fourth", "/v1/repos/fourth/refresh"} <= asked
