"""What a person with a token does on the pages, and one without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.browser.site import HOSTILE
from tests.builders import TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

    from tests.browser.conftest import Site

HURT = "<img src=x onerror=window.hurt=1>"


def entries(*numbers: int, **more: Any) -> dict[str, Any]:
    """Return an index with these entries."""
    listed = [{"id": f"capability.fourth.n{number}", "name": f"{HURT} {number}", **more} for number in numbers]
    return {"version": 1, "capabilities": listed}


def fill(page: Page, site: Site) -> None:
    """Say where the index of the repo fourth lies."""
    page.locator("[name=url]").fill(f"{site.base}/fourth.yaml")
    page.locator("[name=repo]").fill("fourth")
    page.locator("[name=domain]").fill("helix_forge")


def agree(page: Page) -> None:
    """Say yes to whatever the page asks."""
    page.on("dialog", lambda dialog: dialog.accept())


def do(page: Page, name: str, form: str = "#act") -> str:
    """Press a button and return what the page says came of it."""
    page.locator(form).get_by_role("button", name=name).click()
    outcome = page.locator(f"{form} .outcome")
    expect(outcome).not_to_contain_text("One moment")
    expect(outcome).not_to_be_empty()
    return outcome.inner_text()


def registered(site: Site) -> set[str]:
    """Return the names of all that is registered."""
    return {one["repo"] for one in site.ask("GET", "/v1/repos")["repos"]}


def test_the_lines_to_register_come_while_one_types(page: Page, own: Site) -> None:
    page.goto(f"{own.url}/register")

    fill(page, own)

    expect(page.locator("#results pre").first).to_contain_text(f'"url": "{own.base}/fourth.yaml", "repo": "fourth"')
    expect(page.locator("#results pre").nth(1)).to_contain_text("hub register")
    page.locator("[name=repo]").fill("No Slug")
    expect(page.locator(".offences")).to_contain_text("repo")
    assert page.locator("#results pre").count() == 0


def test_with_a_token_one_tries_and_registers(page: Page, own: Site) -> None:
    own.publish("fourth", entries(1, 2, 3))
    page.goto(f"{own.url}/register")
    fill(page, own)
    page.locator("#try .token").fill(TOKEN)

    said = do(page, "Try it", "#try")
    assert "It can be registered. It would bring 3 entries, " in said
    assert f"{HURT} 1" in said
    assert "fourth" not in registered(own)

    said = do(page, "Register it", "#try")
    assert "Registered: fourth" in said
    assert "fourth is fresh: 3 entries, " in said
    assert "fourth" in registered(own)

    assert TOKEN not in page.url
    assert page.evaluate("[localStorage.length, sessionStorage.length, window.hurt ?? null]") == [0, 0, None]
    page.locator("#try .outcome a").click()
    expect(page.locator("h1")).to_have_text("fourth")
    expect(page.locator(".token")).to_have_value("")


def test_what_would_not_work_is_told_with_its_lines(page: Page, own: Site) -> None:
    own.publish("fourth", entries(1, owner=7) | {"capabilities": [{"id": "Not An Id", "name": HURT}, {"id": "a.b"}]})
    page.goto(f"{own.url}/register")
    fill(page, own)
    page.locator("#try .token").fill(TOKEN)

    said = do(page, "Try it", "#try")

    assert "It would not work yet." in said
    assert "Line 1, column" in said
    assert "/capabilities/1/name" in said


def test_a_wrong_token_changes_nothing(page: Page, own: Site) -> None:
    own.publish("fourth", entries(1))
    page.goto(f"{own.url}/register")
    fill(page, own)
    page.locator("#try .token").fill("not-the-token-of-this-hub")

    with page.expect_response("**/v1/repos") as answer:
        said = do(page, "Register it", "#try")

    assert answer.value.status == 401
    assert "This token is not one of this hub's." in said
    assert "fourth" not in registered(own)


def test_without_a_token_an_index_is_checked(page: Page, own: Site) -> None:
    page.goto(f"{own.url}/register")
    field = page.locator("#check textarea")

    field.fill("version: 1\ncapabilities:\n- id: a.b\n  name: Fine\n")
    assert "It is valid, with 1 entry." in do(page, "Check it", "#check")

    field.fill(f"version: 1\ncapabilities:\n- id: Not An Id\n  name: '{HOSTILE.replace(chr(39), '')}'\n  body: x\n")
    said = do(page, "Check it", "#check")
    assert "2 faults" in said
    assert "Line 3, column 7" in said
    assert page.evaluate("window.hurt") is None


def test_what_is_held_is_looked_at_and_accepted(page: Page, own: Site) -> None:
    agree(page)
    own.publish("fourth", entries(*range(10)))
    own.ask("POST", "/v1/repos", {"repo": "fourth", "url": f"{own.base}/fourth.yaml", "domain": "helix_forge"})
    own.ask("POST", "/v1/repos/fourth/refresh")
    own.publish("fourth", entries(1))
    page.goto(f"{own.url}/sources/fourth")
    page.locator("#act .token").fill(TOKEN)

    assert "held. fourth is held: 10 entries, " in do(page, "Check it now")
    expect(page.locator(".panel.held")).to_contain_text("9 of 10 entries would vanish")
    expect(page.locator(".ids code").first).to_have_text("capability.fourth.n0")
    expect(page.locator("#act .token")).to_have_value(TOKEN)

    own.publish("fourth", entries(2))
    own.ask("POST", "/v1/repos/fourth/refresh")
    assert "Other content is held now. " in do(page, "Accept what is held")
    do(page, "Check it now")

    said = do(page, "Accept what is held")
    assert "fourth is fresh: 1 entry, " in said
    expect(page.locator(".panel.held")).to_have_count(0)
    expect(page.get_by_role("button", name="Accept what is held")).to_have_count(0)
    expect(page.get_by_role("region", name="History of the registration")).to_contain_text("accept by operator")
    assert own.ask("GET", "/v1/repos/fourth")["source"]["state"] == "fresh"


def test_what_takes_entries_away_is_asked_about_first(page: Page, own: Site) -> None:
    questions: list[str] = []

    def refuse(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", refuse)
    page.goto(f"{own.url}/sources/state-hub")
    count = own.ask("GET", "/v1/repos/state-hub")["source"]["served_count"]

    assert do(page, "Disable") == "Nothing was changed."
    assert questions == [f"Disable state-hub? {count} capabilities of it leave the federated index."]
    assert own.ask("GET", "/v1/repos/state-hub")["enabled"] is True


def test_a_source_is_switched_off_and_on(page: Page, own: Site) -> None:
    agree(page)
    page.goto(f"{own.url}/sources/state-hub")
    page.locator("#act .token").fill(TOKEN)

    assert "Disabled." in do(page, "Disable")
    expect(page.locator(".title .chip")).to_have_text("disabled")
    assert own.ask("GET", "/v1/repos/state-hub")["enabled"] is False
    assert "Enabled." in do(page, "Enable")

    expect(page.locator(".title .chip")).to_have_text("fresh")
    assert own.ask("GET", "/v1/repos/state-hub")["enabled"] is True
