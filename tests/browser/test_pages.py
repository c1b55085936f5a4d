"""What holds for every page, in a real browser."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.conftest import opened
from tests.browser.site import HOSTILE, LONG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser.conftest import Site

PAGES = [
    "/",
    "/capabilities",
    "/capabilities?q=read&status=stable&min_availability=A2",
    "/capabilities?q=nothing-is-called-this",
    "/sources",
    "/sources/hostile",
    "/sources/state-hub",
    f"/sources/{LONG}",
    "/findings",
    "/register",
    "/register?repo=A&url=https://git.example.org/x&domain=helix_forge",
    "/problems/invalid-index",
    "/sources/nobody",
]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
every_page = pytest.mark.parametrize("path", PAGES)


@contextlib.contextmanager
def visiting(browser: Browser, site: Site, path: str, **how: Any) -> Iterator[Page]:
    """Open the page under *path*; a page that is not there is one too, of which the browser complains."""
    with opened(browser, missing=path.endswith("/nobody"), **how) as page:
        page.goto(site.url + path)
        yield page


@every_page
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_has_no_fault_of_accessibility(
    browser: Browser, forty: Site, path: str, scheme: Literal["light", "dark"]
) -> None:
    with visiting(browser, forty, path, color_scheme=scheme) as page:
        faults = Axe().run(page, options=RULES).response["violations"]

    assert [(fault["id"], [node["html"] for node in fault["nodes"]][:3]) for fault in faults] == []


@every_page
def test_a_page_fits_a_narrow_screen(browser: Browser, forty: Site, path: str) -> None:
    with visiting(browser, forty, path, viewport={"width": 320, "height": 640}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        outside = page.evaluate(
            """() => [...document.querySelectorAll("main *")].filter(one => {
                 const box = one.getBoundingClientRect();
                 return box.width && box.right > 321 && !one.closest("pre, .unseen, thead, details .wide");
               }).map(one => one.outerHTML.slice(0, 100))"""
        )
        assert outside == []


@every_page
def test_every_link_and_field_is_reached_by_keyboard_and_seen_to_be(browser: Browser, forty: Site, path: str) -> None:
    with visiting(browser, forty, path) as page:
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        wanted = page.locator(":is(a[href], button, input:not([type=hidden]), select, summary):not([tabindex='-1'])")
        seen = set()
        for _ in range(25):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.body"):
                break
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline in {"solid", "auto"}, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
            seen.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert len(seen) >= min(25, wanted.count() - 1)


def test_the_first_key_leads_past_the_head(page: Page, forty: Site) -> None:
    page.goto(forty.url)

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.locator("#main")).to_be_focused()


@pytest.mark.parametrize("path", ["/sources/hostile", "/capabilities?q=script", "/sources?q=%3Cscript%3E", "/"])
def test_what_publishers_wrote_is_shown_and_never_run(page: Page, forty: Site, path: str) -> None:
    page.goto(forty.url + path)

    assert page.evaluate("window.hurt") is None
    assert page.locator("main script, main img[src=x]").count() == 0
    if path != "/":
        fields = page.locator("input[type=search]").evaluate_all("fields => fields.map(field => field.value)")
        assert HOSTILE[:8] in page.locator("main").inner_text() + "".join(fields)


def test_hostile_words_in_the_address_are_words(page: Page, forty: Site) -> None:
    page.goto(f"{forty.url}/capabilities?q=%22%3E%3Cscript%3Ewindow.hurt%3D1%3C/script%3E&tag=%3Cb%3E")

    assert page.evaluate("window.hurt") is None
    expect(page.locator("#q")).to_have_value('"><script>window.hurt=1</script>')
    expect(page.locator(".on")).to_contain_text("tag: <b>")


@pytest.mark.parametrize("path", ["/", "/sources", "/capabilities"])
def test_nothing_moves_for_those_who_asked_for_that(browser: Browser, forty: Site, path: str) -> None:
    with visiting(browser, forty, path, reduced_motion="reduce") as page:
        moving = page.evaluate(
            """[...document.querySelectorAll("*")].filter(one => {
                 const style = getComputedStyle(one);
                 return style.animationName !== "none" || style.transitionDuration !== "0s";
               }).length"""
        )

    assert moving == 0


def test_the_overview_says_in_words_what_the_picture_shows(page: Page, forty: Site) -> None:
    page.goto(forty.url)

    drawn = page.locator(".flowers svg a").count()
    assert drawn == len(forty.ask("GET", "/v1/repos?limit=1000")["repos"])
    for state in ("stale", "failed", "never", "disabled"):
        assert page.locator(f".flowers svg .{state}").count() > 0
        expect(page.locator(".flowers")).to_contain_text(state)
        expect(page.locator(f".states a.{state}")).to_contain_text(state)


@pytest.mark.parametrize("width", [1280, 320])
def test_freshness_over_time_is_a_picture_a_sentence_and_numbers(browser: Browser, forty: Site, width: int) -> None:
    with visiting(browser, forty, "/", viewport={"width": width, "height": 800}) as page:
        part = page.locator(".overtime")
        picture = part.get_by_role("img", name="Sources by state over time")
        box = picture.bounding_box()
        assert box
        assert box["width"] > width * 0.85
        assert picture.locator(".band.fresh").count() > 1
        expect(picture.locator("desc")).to_contain_text("Nothing was recorded for 7 h: the hub did not run, or")
        for state in ("fresh", "stale", "failed", "held", "never", "disabled"):
            expect(part.locator(".legend")).to_contain_text(state)
        expect(part.locator(".legend")).to_contain_text("not recorded")

        part.get_by_role("link", name="30 days").click()
        page.wait_for_url("**/?over=month#fresh-title")
        expect(part.locator("> p")).to_contain_text("Over the last 30 days, between")
        part.get_by_text("The same in numbers").click()
        assert part.locator("tbody tr").count() > 10
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert Axe().run(page, options=RULES).response["violations"] == []


def test_a_disc_leads_to_its_source(page: Page, forty: Site) -> None:
    page.goto(forty.url)
    disc = page.locator(".flowers svg a").first
    address = disc.get_attribute("href")

    disc.click()

    page.wait_for_url(f"{forty.url}{address}")


def test_without_scripts_all_is_there_and_forms_search(browser: Browser, forty: Site) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(forty.url)
        page.locator("#q").fill("read ledger")
        page.locator("#q").press("Enter")
        page.wait_for_url("**/capabilities?q=read+ledger")
        assert page.locator(".entries > li").count() > 0
        page.goto(f"{forty.url}/sources")
        page.locator("select[name=state]").select_option("stale")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/sources?**state=stale**")
        assert page.locator(".rows .chip.stale").count() == page.locator(".rows .chip").count() > 0
