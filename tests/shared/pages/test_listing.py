from __future__ import annotations

import pytest

from shared.pages.listing import ORDERS, View
from tests.shared.pages.rows import row

ROWS = [
    row("alpha", served=2, checked_at="2026-11-23T09:00:00Z", description="Reads invoices"),
    row("beta", domain="railiance", served=5, state="failed", checked_at=None),
    row("gamma", served=5, state="stale", checked_at="2026-11-23T10:00:00Z"),
]


def names(view: View) -> list[str]:
    return [one.registration.repo for one in view.rows(ROWS)]


@pytest.mark.parametrize(
    ("view", "found"),
    [
        (View(), ["alpha", "beta", "gamma"]),
        (View(down=True), ["gamma", "beta", "alpha"]),
        (View(sort="entries", down=True), ["beta", "gamma", "alpha"]),
        (View(sort="state"), ["beta", "gamma", "alpha"]),
        (View(sort="domain", down=True), ["beta", "alpha", "gamma"]),
        (View(sort="checked"), ["beta", "alpha", "gamma"]),
        (View(state="stale"), ["gamma"]),
        (View(domain="railiance"), ["beta"]),
        (View(q="INVOICES"), ["alpha"]),
        (View(q="git.example.org/beta"), ["beta"]),
        (View(q="railiance", state="stale"), []),
    ],
)
def test_shows_what_is_asked_for_in_the_order_asked_for(view: View, found: list[str]) -> None:
    assert names(view) == found


@pytest.mark.parametrize("name", ORDERS)
def test_can_be_sorted_by_every_column(name: str) -> None:
    assert sorted(names(View(sort=name))) == ["alpha", "beta", "gamma"]


def test_is_cut_into_pages_of_a_hundred() -> None:
    rows = [row(f"r{number:03}") for number in range(205)]

    sizes = [len(View(page=page).cut(rows)) for page in (1, 2, 3, 4)]

    assert sizes == [100, 100, 5, 0]


def test_every_view_has_an_address() -> None:
    view = View(q="a b", state="stale", domain="x", sort="entries", down=True, page=2)

    assert View().address() == "/sources"
    assert view.address(page=3) == "/sources?q=a+b&state=stale&domain=x&sort=entries&order=down&page=3"
    assert view.address(domain="") == "/sources?q=a+b&state=stale&sort=entries&order=down"
    assert View(down=True).address() == "/sources?sort=repo&order=down"


def test_a_column_is_sorted_up_first_and_then_the_other_way_round() -> None:
    assert View().sorted_by("entries") == "/sources?sort=entries"
    assert View(sort="entries").sorted_by("entries") == "/sources?sort=entries&order=down"
    assert View(sort="entries", down=True).sorted_by("entries") == "/sources?sort=entries"
    assert [View(sort="state", down=down).direction("state") for down in (False, True)] == ["ascending", "descending"]
    assert View().direction("state") == "none"
