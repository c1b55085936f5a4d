from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.findings import KINDS, SEVERITIES, Finding, by_repo
from shared.hub import Hub, open_hub
from shared.model.author import Author
from shared.model.registration import Registration
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
    if hub.sources.view(repo) is None:
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
    assert found.action == (
        "Have it checked now: POST /v1/repos/new/refresh. A hub that checks in the background does so by itself."
    )


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
    assert "The content of 2026-11-23T10:00:00Z stays in use" in found.detail


async def test_every_fault_of_an_index_is_found_with_its_place(hub: Hub, upstream: respx.MockRouter) -> None:
    await read(hub, upstream, "a", BAD)

    (found,) = hub.findings.all()

    assert (found.kind, found.also, found.line, found.column) == ("invalid-entry", ("failed",), 3, 7)
    assert "/capabilities/0/id does not match" in found.detail
    assert found.detail.endswith(" 1 more fault. Nothing of it is served; failed checks in a row: 1.")
    shown = found.as_json()
    assert [(one["line"], one["column"], one["pointer"]) for one in shown["faults"]] == [
        (3, 7, "/capabilities/0/id"),
        (4, 9, "/capabilities/0/name"),
    ]
    assert shown["faults"][1]["detail"] == "must be text (in quotes if it looks like a number)"
    assert "on_page" not in shown


async def test_faults_survive_a_restart_with_their_dates(
    settings: Settings, hands: Hands, upstream: respx.MockRouter
) -> None:
    first = open_hub(settings, hands.clock())
    async with first.running():
        row = await first.store.add(ROW.client_fields(), Author("operator"))
        first.sources.watch(row)
        upstream.get(row.url).side_effect = [BAD]
        await first.sources.refresh(row.repo)
        await first.federation.shown()
        before = first.findings.all()

    hands.advance(60)
    again = open_hub(settings, hands.clock())
    async with again.running():
        assert again.findings.all() == before
        assert len(before) == 1
        assert len(before[0].faults) == 2


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
    assert kinds(hub) == [("held", "a"), ("stale", "a")]
    assert hub.findings.all()[0].since == "2026-11-23T10:01:00Z"
    await hub.sources.accept("a", *hub.sources.held("a"))
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

    assert kinds(hub) == [("failed", "bad"), ("missing-required", "off")]
    bad, off = hub.findings.all()
    assert bad.kinds == ("failed", "missing-required")
    assert bad.detail.endswith("The federated index is incomplete, because this repo is required.")
    assert off.since == "2026-11-23T10:00:00Z"
    assert off.action == (
        'Enable it: PATCH /v1/repos/off with {"enabled": true}; '
        'or register it as not required: PATCH /v1/repos/off with {"required": false}.'
    )
    assert off.on_page == (
        "Enable it: “Enable” on the page of off; "
        "or register it as not required: reuse-surface hub update --repo off --required false."
    )


async def test_a_required_repo_that_was_never_fetched_is_one_error(hub: Hub, upstream: respx.MockRouter) -> None:
    await read(hub, upstream, "new", required=True)

    (found,) = hub.findings.all()

    assert (found.kinds, found.severity) == (("never-fetched", "missing-required"), "error")


async def test_all_ids_lost_to_one_repo_are_one_finding(hub: Hub, upstream: respx.MockRouter) -> None:
    await read(hub, upstream, "first", good(*range(100, 130)), registered_at="2026-11-23T09:00:00Z")
    await read(hub, upstream, "fork", good(*range(100, 130)))
    await read(hub, upstream, "other", good(100, 101, name="Yours"), registered_at="2026-11-23T11:00:00Z")

    other, fork = hub.findings.all()

    assert (fork.kind, fork.severity, fork.repo) == ("conflict", "info", "fork")
    assert fork.detail.startswith("first, registered earlier, publishes 30 ids of this repo too; its entries are")
    assert fork.detail.endswith(" and 10 more. This repo's say the same.")
    assert (other.repo, other.severity) == ("other", "warning")
    assert other.detail.endswith("2 of this repo's say something else.")


async def test_one_entry_that_differs_is_counted_as_one(hub: Hub, upstream: respx.MockRouter) -> None:
    await read(hub, upstream, "first", good(1, 2), registered_at="2026-11-23T09:00:00Z")
    differing = index(capability(1), capability(2, name="Yours"))
    await read(hub, upstream, "fork", httpx.Response(200, content=differing))

    (fork,) = hub.findings.all()

    assert fork.detail.endswith("1 of this repo's says something else.")


@pytest.mark.parametrize(
    ("status", "says"),
    [(500, "The server that publishes the index fails"), (503, "The server that"), (404, "Check that the URL is the"),
     (401, "Publish the index where it opens"), (429, "limits requests"), (418, "After a 404, check")],
)  # fmt: skip
async def test_the_remedy_fits_what_the_source_answered(
    hub: Hub, upstream: respx.MockRouter, status: int, says: str
) -> None:
    await read(hub, upstream, "a", httpx.Response(status))

    assert says in hub.findings.all()[0].action


def test_by_repo_the_gravest_come_first_and_among_those_the_newest() -> None:
    one = Finding(kind="failed", severity="error", repo="a", since="2026-11-23T10:00:00Z", detail="d", action="x")
    newer, milder = replace(one, repo="b", since="2026-11-23T11:00:00Z"), replace(one, repo="c", severity="info")
    second = replace(one, kind="conflict", severity="warning")

    groups = by_repo(sorted([milder, second, newer, one], key=Finding.key))

    assert groups == [[newer], [one, second], [milder]]


async def test_a_hub_without_room_says_so(settings: Settings, hands: Hands, upstream: respx.MockRouter) -> None:
    hub = open_hub(replace(settings, max_capabilities=1), hands.clock())
    async with hub.running():
        await read(hub, upstream, "a", good(1), good(1, 2))

        found, near = hub.findings.all()

    assert (found.kinds, found.severity) == (("hub-full", "stale"), "error")
    assert "it keeps at most 1 over all sources" in found.detail
    assert "stays in use" in found.detail
    assert (near.kind, near.detail) == ("limit-near", "A limit is used up: it admits 1 capability, and 1 is there.")


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
        replace(one, kind="invalid-entry", severity="warning"),
        one,
        replace(one, repo="a-b"),
        replace(one, severity="info", repo="a"),
    ]

    assert sorted([*others[1:], others[0]], key=Finding.key) == [others[0], *others[1:]]
    assert replace(one, detail="e").key() != one.key()


async def test_a_new_address_that_was_not_read_yet_is_found_with_what_is_served_meanwhile(
    hub: Hub, upstream: respx.MockRouter
) -> None:
    await read(hub, upstream, "a", good(1))
    hub.sources.watch(replace(ROW, repo="a", url=url_of("moved"), revision=2))

    (found,) = hub.findings.all()

    assert (found.kind, found.repo) == ("stale", "a")
    assert "the new address has not been read yet" in found.detail
    assert "stays served" in found.detail
    assert found.action.startswith("Have the new address checked now")


async def test_a_limit_that_is_neared_is_found_until_it_no_longer_is(
    hub: Hub, upstream: respx.MockRouter, hands: Hands, client: httpx.AsyncClient
) -> None:
    hub.findings.capacity.registrations = 5
    for number in range(4):
        await read(hub, upstream, f"r{number}", good(number))
    (found,) = hub.findings.all()
    hands.advance(60)

    assert hub.findings.all() == [found]
    assert (found.kind, found.severity, found.repo) == ("limit-near", "warning", "")
    assert found.since == "2026-11-23T10:00:00Z"
    assert found.detail == "80% of a limit is in use: 4 of 5 registrations."
    assert found.action == "Deregister what is no longer needed, or raise REUSE_SURFACE_MAX_REGISTRATIONS."
    page = (await client.get("/findings", headers={"Accept": "text/html"})).text
    assert '<h2 class="of-repo">The hub</h2>' in page
    assert "4 of 5 registrations" in page
    listed = (await client.get("/v1/findings?kind=limit-near")).json()
    assert [(row["repo"], row["detail"]) for row in listed["findings"]] == [("", found.detail)]

    hub.sources.forget("r0")

    assert hub.findings.all() == []
