from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.findings import KINDS, SEVERITIES, Finding
from shared.hub import Hub, open_hub
from shared.registration import Registration
from shared.store import Author
from tests.builders import Hands, capability, index, registration, url_of

if TYPE_CHECKING:
    import respx

    from shared.settings import Settings

ROW = Registration(
    **registration(), registered_at="2026-11-23T10:00:00Z", updated_at="", registered_by="operator", revision=1
)
BAD = httpx.Response(200, content=b"version: 1\ncapabilities:\n- id: Upper\n  name: 7\n")


def good(*numbers: int, **changes: str) -> httpx.Response:
    return httpx.Response(200, content=index(*(capability(n, **changes) for n in numbers)))


async def read(hub: Hub, upstream: respx.MockRouter, repo: str, *answers: httpx.Response, **fields: object) -> None:
    """Follow *repo* and check it once for each answer."""
    row = replace(ROW, repo=repo, url=url_of(repo), **fields)  # type: ignore[arg-type]
    if repo not in hub.sources.all():
        hub.sources.watch(row)
    for answer in answers:
        upstream.get(row.url).side_effect = [answer]
        await hub.sources.refresh(repo)
    await hub.federation.shown()


def kinds(hub: Hub) -> list[tuple[str, str]]:
    return [(finding.kind, finding.repo) for finding in hub.findings.all()]


async def test_where_all_is_well_nothing_is_found(hub: Hub, upstream: respx.MockRouter) -> None:
    await read(hub, upstream, "a", good(1))

    assert hub.findings.all() == []


async def test_what_was_never_fetched_is_found_and_what_is_disabled_is_not(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    await read(hub, upstream, "new")
    await read(hub, upstream, "off", enabled=False)

    (found,) = hub.findings.all()

    assert (found.kind, found.severity, found.repo) == ("never-fetched", "info", "new")
    assert found.since == "2026-11-23T10:00:00Z"
    assert found.action == "Wait, or have it fetched now: POST /v1/repos/new/refresh."


async def test_a_failure_is_dated_by_the_first_of_them(hub: Hub, upstream: respx.MockRouter, hands: Hands) -> None:
    await read(hub, upstream, "a", httpx.Response(500))
    hands.advance(3600)
    await read(hub, upstream, "a", httpx.Response(404))

    (found,) = hub.findings.all()

    assert (found.kind, found.severity, found.since) == ("failed", "error", "2026-11-23T10:00:00Z")
    assert found.detail == "The source answered 404. Nothing of it is served; failed checks in a row: 2."
    assert found.action.startswith("Check that the URL is the raw file's")


async def test_what_is_stale_says_how_old_what_is_served_is(
    hub: Hub, upstream: respx.MockRouter, hands: Hands
) -> None:
    await read(hub, upstream, "a", good(1))
    hands.advance(3600)
    await read(hub, upstream, "a", httpx.Response(500))

    (found,) = hub.findings.all()

    assert (found.kind, found.severity, found.since) == ("stale", "warning", "2026-11-23T11:00:00Z")
    assert "What was good at 2026-11-23T10:00:00Z stays served" in found.detail


async def test_every_fault_of_an_index_is_found_with_its_place(hub: Hub, upstream: respx.MockRouter) -> None:
    await read(hub, upstream, "a", BAD)

    failed, *faults = sorted(hub.findings.all(), key=lambda found: found.kind, reverse=False)

    assert failed.kind == "failed"
    assert [(one.kind, one.line, one.column, one.pointer) for one in faults] == [
        ("invalid-entry", 3, 7, "/capabilities/0/id"),
        ("invalid-entry", 4, 9, "/capabilities/0/name"),
    ]
    assert faults[1].detail == "/capabilities/0/name must be text (in quotes if it looks like a number)."
    assert faults[1].action
    shown = faults[1].as_json()
    assert (shown["line"], shown["column"]) == (4, 9)
    assert "line" not in failed.as_json()


async def test_faults_survive_a_restart_with_their_dates(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    first = open_hub(settings, hands.clock())
    async with first.running():
        row = await first.store.add(ROW.wanted(), Author("operator"))
        await read(first, upstream, row.repo)
        first.sources.watch(row)
        upstream.get(row.url).side_effect = [BAD]
        await first.sources.refresh(row.repo)
        await first.federation.shown()
        before = first.findings.all()

    hands.advance(60)
    again = open_hub(settings, hands.clock())
    async with again.running():
        assert again.findings.all() == before
        assert len(before) == 3


async def test_what_is_held_says_what_would_vanish(hub: Hub, upstream: respx.MockRouter, hands: Hands) -> None:
    await read(hub, upstream, "a", good(*range(100, 143)))
    hands.advance(60)
    await read(hub, upstream, "a", good(100, 101))

    (found,) = hub.findings.all()

    assert (found.kind, found.severity, found.since) == ("held", "warning", "2026-11-23T10:01:00Z")
    assert found.detail.startswith("41 of 43 entries would vanish: capability.example.n102, capability.example.n103, ")
    assert found.detail.endswith(" and 21 more.")
    assert "POST /v1/repos/a/accept" in found.action

    hands.advance(60)
    await read(hub, upstream, "a", httpx.Response(500))
    assert sorted(kinds(hub)) == [("held", "a"), ("stale", "a")]
    assert hub.findings.all()[0].since == "2026-11-23T10:01:00Z"
    await hub.sources.accept("a")
    assert kinds(hub) == [("stale", "a")]


async def test_a_conflict_is_found_for_the_one_that_is_not_served_and_keeps_its_date(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    hub = open_hub(settings, hands.clock())
    async with hub.running():
        await read(hub, upstream, "z-first", good(1, 2, name="Mine"), registered_at="2026-11-23T09:00:00Z")
        await read(hub, upstream, "b", good(1, name="Yours"))
        await read(hub, upstream, "c", good(2, name="Mine"))
        hands.advance(3600)
        await read(hub, upstream, "z-first", good(1, 2, 3, name="Mine"))

        differs, same = hub.findings.all()

    assert (differs.kind, differs.severity, differs.repo) == ("conflict", "warning", "b")
    assert (same.kind, same.severity, same.repo) == ("conflict", "info", "c")
    assert "z-first, registered earlier, publishes capability.example.n1 too" in differs.detail
    assert differs.detail.endswith("This one says something else.")
    assert same.detail.endswith("This one says the same.")
    assert differs.since == same.since == "2026-11-23T10:00:00Z"


async def test_a_required_repo_that_serves_nothing_is_found_even_when_it_is_disabled(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    await read(hub, upstream, "off", required=True, enabled=False)
    await read(hub, upstream, "bad", httpx.Response(500), required=True)

    assert kinds(hub) == [("failed", "bad"), ("missing-required", "bad"), ("missing-required", "off")]
    assert hub.findings.all()[2].since == "2026-11-23T10:00:00Z"


async def test_a_hub_without_room_says_so(settings: Settings, hands: Hands, upstream: respx.MockRouter) -> None:
    hub = open_hub(replace(settings, max_capabilities=1), hands.clock())
    async with hub.running():
        await read(hub, upstream, "a", good(1), good(1, 2))

        (found,) = hub.findings.all()

    assert (found.kind, found.severity) == ("hub-full", "error")
    assert "it keeps at most 1 over all sources" in found.detail
    assert "stays served" in found.detail


async def test_they_are_made_anew_only_when_something_changed(hub: Hub, upstream: respx.MockRouter) -> None:
    await read(hub, upstream, "a", httpx.Response(500))
    once = hub.findings.all()

    assert hub.findings.all() is once
    await read(hub, upstream, "a", good(1))
    assert hub.findings.all() == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_severity(kind: str) -> None:
    assert KINDS[kind] in SEVERITIES


def test_the_gravest_come_first_and_no_two_have_the_same_key() -> None:
    one = Finding(kind="stale", severity="warning", repo="a", since="S", detail="d", action="x")
    others = [
        replace(one, severity="error", repo="z"),
        replace(one, line=2, column=1),
        replace(one, line=10, column=1),
        replace(one, repo="a-b"),
        replace(one, severity="info", repo="a"),
    ]

    assert sorted([*others[1:], others[0]], key=Finding.key) == [others[0], *others[1:]]
    assert replace(one, detail="e").key() != one.key()
