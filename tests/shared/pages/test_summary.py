from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.pages.summary import ages, all_well, by_domain, by_state, rows_of
from tests.builders import WRITER, capability, index, refresh, register, url_of
from tests.shared.pages.rows import row

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)


async def test_a_row_is_a_registration_with_its_source(
    client: httpx.AsyncClient, hub: Hub, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("b")).respond(content=index())
    for repo in ("b", "a"):
        await register(client, repo)
    await refresh(client, "b")

    rows = rows_of(hub, await hub.store.registrations())

    told = [(one.registration.repo, one.source.state, one.served) for one in rows]
    assert told == [("a", "never", 0), ("b", "fresh", 1)]


def test_what_is_said_without_a_finding_is_what_was_checked() -> None:
    two, off = [row("a"), row("b")], row("c", enabled=False)
    well = "No finding: the last check of each of the 2 enabled sources found it in order."

    assert all_well(two, scheduled=True) == well
    assert all_well([*two, off], scheduled=True) == f"{well} 1 source is disabled and not checked."
    assert all_well(two, scheduled=False) == (
        f"{well} This hub does not check in the background, so that may be long ago."
    )
    assert all_well([off, off], scheduled=False) == "No finding. 2 sources are disabled and not checked."
    assert all_well([], scheduled=True) == "No repository is registered, so nothing was checked."


async def test_only_what_is_served_counts(client: httpx.AsyncClient, hub: Hub, upstream: respx.MockRouter) -> None:
    for repo, numbers in (("a-fork", (1, 2)), ("b", (2, 3)), ("off", (4,))):
        upstream.get(url_of(repo)).respond(content=index(*(capability(number) for number in numbers)))
        await register(client, repo)
        await refresh(client, repo)
    await client.patch("/v1/repos/off", json={"enabled": False}, headers=WRITER)

    rows = rows_of(hub, await hub.store.registrations())

    assert [(one.registration.repo, one.source.capability_count, one.served) for one in rows] == [
        ("a-fork", 2, 2), ("b", 2, 1), ("off", 1, 0),
    ]  # fmt: skip
    assert [(one.name, one.served) for one in by_domain(rows)] == [("helix_forge", 3)]


def test_states_are_counted_in_their_order() -> None:
    counted = by_state([row("a"), row("b"), row("c", state="failed")])

    assert list(counted.items())[:4] == [("never", 0), ("fresh", 2), ("stale", 0), ("failed", 1)]


def test_domains_come_by_what_they_offer() -> None:
    rows = [row("a", served=1), row("b", domain="y", served=9), row("c", served=2), row("d", domain="x", served=9)]

    domains = by_domain(rows)

    assert [(one.name, one.served) for one in domains] == [("x", 9), ("y", 9), ("helix_forge", 3)]
    assert [one.registration.repo for one in domains[2].rows] == ["c", "a"]
    assert domains[2].states["fresh"] == 2


def test_ages_are_counted_in_classes() -> None:
    stamps = ["2026-11-23T09:59:00Z", "2026-11-23T09:51:00Z", "2026-11-23T09:10:00Z", "2026-11-22T11:00:00Z", None]
    stamps += ["2026-11-17T11:00:00Z", "2025-11-17T11:00:00Z", "2026-11-23T10:00:09Z"]
    rows = [row(str(number), succeeded_at=stamp) for number, stamp in enumerate(stamps)]
    rows.append(row("off", succeeded_at=stamps[0], enabled=False))

    found = ages(rows, lambda source: source.succeeded_at, NOW)

    assert [(one.label, one.number, one.share) for one in found] == [
        ("within 10 minutes", 3, 100),
        ("within an hour", 1, 33),
        ("within a day", 1, 33),
        ("within a week", 1, 33),
        ("longer ago", 1, 33),
        ("never", 1, 33),
    ]


def test_without_sources_no_age_has_any() -> None:
    assert {(one.number, one.share) for one in ages([], lambda source: source.changed_at, NOW)} == {(0, 0)}
