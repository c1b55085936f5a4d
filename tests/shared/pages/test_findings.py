from __future__ import annotations

from dataclasses import replace

from shared.findings import Finding
from shared.pages.findings import FindingsView


def finding(severity: str, kind: str, repo: str) -> Finding:
    return Finding(severity=severity, kind=kind, repo=repo, since="", detail="", action="")


FOUND = [
    finding("error", "failed", "a"),
    finding("error", "invalid-entry", "a"),
    finding("error", "invalid-entry", "b"),
    finding("info", "never-fetched", "c"),
]


def test_shows_what_is_asked_for() -> None:
    assert FindingsView().of(FOUND) == FOUND
    assert FindingsView(severity="error", repo="a").of(FOUND) == FOUND[:2]
    assert FindingsView(kind="invalid-entry").of(FOUND) == FOUND[1:3]
    here = replace(FOUND[3], domain="here")
    assert FindingsView(domain="here").of([*FOUND[:3], here]) == [here]


def test_counts_what_else_could_be_asked_for() -> None:
    view = FindingsView(severity="error", kind="failed")

    assert view.severities(FOUND) == [("error", 1)]
    assert view.kinds(FOUND) == [("invalid-entry", 2), ("failed", 1)]
    assert FindingsView().severities(FOUND) == [("error", 3), ("info", 1)]


def test_is_cut_into_pages_of_fifty_repos() -> None:
    many = [[found] for found in FOUND * 30]

    assert [len(FindingsView(page=page).cut(many)) for page in (1, 2, 3, 4)] == [50, 50, 20, 0]
    assert [FindingsView.pages(repos) for repos in ([], many[:50], many)] == [1, 1, 3]


def test_a_kind_is_also_found_where_another_cause_amounts_to_it() -> None:
    cause = replace(FOUND[1], also=("failed", "missing-required"))

    assert FindingsView(kind="missing-required").of([cause, FOUND[3]]) == [cause]
    assert FindingsView().kinds([cause]) == [("invalid-entry", 1), ("failed", 1), ("missing-required", 1)]


def test_every_view_has_an_address() -> None:
    view = FindingsView(severity="error", kind="failed", repo="a", page=3)
    of_domain = FindingsView(domain="here").for_programs

    assert FindingsView().address() == "/findings"
    assert view.address(page=2) == "/findings?severity=error&kind=failed&repo=a&page=2"
    assert of_domain == "/v1/findings?domain=here"
    assert view.address(repo="") == "/findings?severity=error&kind=failed"
    assert view.for_programs == "/v1/findings?severity=error&kind=failed&repo=a"
