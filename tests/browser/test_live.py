"""What pages do while one looks at them."""

from __future__ import annotations

import json
import re
from statistics import median
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.conftest import Site

FROM_KEY_TO_RESULT = """(text) => new Promise(resolve => {
  const field = document.querySelector("#q");
  new MutationObserver((_, watching) => {
    watching.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - began));
  }).observe(document.querySelector("main"), { childList: true });
  const began = performance.now();
  field.value = text;
  field.dispatchEvent(new InputEvent("input", { bubbles: true }));
})"""


def names(page: Page) -> list[str]:
    """Return the ids that are shown."""
    return page.locator(".entries > li .name code").all_inner_texts()


def test_finds_while_one_types_and_the_address_can_be_shared(page: Page, forty: Site) -> None:
    page.goto(f"{forty.url}/capabilities")

    page.locator("#q").press_sequentially("ledger rea")
    page.wait_for_url("**/capabilities?q=ledger+rea")
    expect(page.locator(".counted [role=status]")).to_contain_text("for “ledger rea”")

    found = names(page)
    assert found
    assert all("ledger" in one for one in found)
    expect(page.locator("#q")).to_be_focused()
    other = page.context.new_page()
    other.goto(page.url)
    assert names(other) == found
    expect(other.locator("#q")).to_have_value("ledger rea")


def test_facets_narrow_a_search_and_can_be_taken_back(page: Page, forty: Site) -> None:
    page.goto(f"{forty.url}/capabilities?q=read")
    whole = page.locator(".counted [role=status]").inner_text()

    page.get_by_role("link", name="beta").click()
    page.wait_for_url("**/capabilities?q=read&status=beta")
    expect(page.locator(".on")).to_contain_text("status: beta")
    page.locator("#q").fill("read ledger")
    page.wait_for_url("**/capabilities?q=read+ledger&status=beta")
    page.locator("#q").fill("read")
    page.wait_for_url("**/capabilities?q=read&status=beta")
    page.locator(".on").click()

    page.wait_for_url("**/capabilities?q=read")
    expect(page.locator(".counted [role=status]")).to_have_text(whole)


def test_the_json_of_a_search_is_one_click_away(page: Page, forty: Site) -> None:
    page.goto(f"{forty.url}/capabilities?q=read+ledger&status=stable&min_availability=A1")
    shown = names(page)
    link = page.get_by_role("link", name="JSON of this search").get_attribute("href")

    told = forty.ask("GET", f"{link}&limit=30")

    assert [one["id"] for one in told["capabilities"]] == shown
    expect(page.locator(".counted [role=status]")).to_contain_text(f"{told['total']} ")


def test_the_table_of_sources_is_found_in_and_sorted(page: Page, forty: Site) -> None:
    page.goto(f"{forty.url}/sources")

    page.locator("input[name=q]").press_sequentially("ledger")
    page.wait_for_url("**/sources?q=ledger")
    expect(page.locator(".counted")).to_contain_text("of 44 sources")
    page.get_by_role("link", name="Served").click()
    page.get_by_role("link", name="Served").click()
    page.wait_for_url("**/sources?q=ledger&sort=entries&order=down")

    counts = [int(text.replace(",", "")) for text in page.locator("td.number").all_inner_texts()]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) > 1


def test_a_new_serial_is_told_without_loading_the_page_again(page: Page, own: Site) -> None:
    page.clock.install()
    page.goto(own.url)
    page.evaluate("window.kept = true")
    serial = page.locator("body").get_attribute("data-serial")
    assert [looks(page), looks(page)] == [200, 304]
    expect(page.locator("#news")).to_be_empty()

    index = json.loads((own.published / "state-hub.yaml").read_text(encoding="utf-8"))
    own.publish("state-hub", {**index, "capabilities": [*index["capabilities"], {"id": "new.one", "name": "New"}]})
    assert own.ask("POST", "/v1/repos/state-hub/refresh")["outcome"] == "changed"
    assert looks(page) == 200

    told = own.ask("GET", "/v1/federated")["serial"]
    assert str(told) != serial
    expect(page.locator("#news")).to_have_text(f"The federated index has changed: serial {told}. Show it")
    assert page.evaluate("window.kept") is True
    page.get_by_role("link", name="Show it").click()
    expect(page.locator("body")).to_have_attribute("data-serial", str(told))


def looks(page: Page) -> int:
    """Let so much time pass that the page looks for news; return the status of the answer."""
    with page.expect_response("**/v1/federated") as answer:
        page.clock.fast_forward(16_000)
    assert answer.value.request.method == "HEAD"
    return answer.value.status


def test_lines_can_be_copied(page: Page, forty: Site) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(forty.url)

    page.get_by_role("button", name="Copy").first.click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl -sO http://")


def test_is_light_on_the_first_load_with_a_thousand_sources(
    page: Page, thousand: Site, record_property: Callable[[str, object], None]
) -> None:
    for path in ("/", "/capabilities", "/sources"):
        page.context.clear_cookies()
        page.goto(thousand.url + path)
        loaded = page.evaluate(
            """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
               .map(one => [one.name, one.encodedBodySize])"""
        )
        assert {re.sub(r"\?.*", "", name.rpartition("/")[2]) for name, _ in loaded} >= {"hub.css", "hub.js"}
        weight = sum(size for _, size in loaded)
        record_property(f"First load of {path} with 1,000 sources", f"{weight / 1000:.1f} KB compressed")
        assert weight < 100_000


def test_measures_a_search_on_the_page(
    page: Page, thousand: Site, record_property: Callable[[str, object], None]
) -> None:
    page.goto(f"{thousand.url}/capabilities")
    total = page.locator(".counted [role=status]").inner_text()

    texts = ["r", "re", "read", "read l", "read ledger", "ledger", "compose", "tenant", "batches", "n77", "x", ""] * 2
    times = sorted(page.evaluate(FROM_KEY_TO_RESULT, text) for text in texts)

    record_property(
        f"Search on the page, 1,000 sources, {total}, from key to result (30 ms of it wait for the next key)",
        f"median {median(times):.0f} ms, slowest {times[-1]:.0f} ms of {len(times)}",
    )
    expect(page.locator(".counted [role=status]")).to_have_text(total)
