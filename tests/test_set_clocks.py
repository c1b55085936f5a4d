"""What a wall clock that is set, back or far ahead, does not change: orders, and what never goes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.builders import START, WRITER, capability, federated, index, refresh, register, served, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.settings import Settings
    from tests.builders import Hands

THING = capability(id="shared.thing", name="A thing")
END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def sources(upstream: respx.MockRouter) -> None:
    """Two repos that publish the same id."""
    for repo in ("z-first", "a-later"):
        upstream.get(url_of(repo)).respond(content=index(THING))


async def winner(client: httpx.AsyncClient) -> str:
    """Return whose entry is served."""
    [conflict] = (await federated(client))["conflicts"]
    return str(conflict["repo"])


@pytest.mark.usefixtures("sources")
async def test_who_registered_first_keeps_an_id_whatever_the_clock_says(settings: Settings, hands: Hands) -> None:
    async with served(settings, hands) as client:
        await register(client, "z-first")
        hands.jump(-3600)
        later = await register(client, "a-later")
        for repo in ("z-first", "a-later"):
            await refresh(client, repo)

        assert later["registered_at"] == "2026-11-23T09:00:00.000000Z"
        assert await winner(client) == "z-first"

    async with served(settings, hands) as client:
        assert await winner(client) == "z-first"


@pytest.mark.usefixtures("sources")
async def test_a_dry_run_names_the_one_who_registered_first(
    client: httpx.AsyncClient, hands: Hands, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("new")).respond(content=index(THING))
    await register(client, "z-first")
    hands.jump(-3600)
    await register(client, "a-later")
    for repo in ("z-first", "a-later"):
        await refresh(client, repo)

    body = {"url": url_of("new"), "repo": "new", "domain": "d"}
    tried = await client.post("/v1/repos?dry_run=true", json=body, headers=WRITER)

    assert [one["repo"] for one in tried.json()["conflicts"]] == ["z-first"]


@pytest.mark.usefixtures("sources")
async def test_no_serial_and_no_finding_is_dated_before_what_came_before(settings: Settings, hands: Hands) -> None:
    times = []
    async with served(settings, hands) as client:
        for repo in ("z-first", "a-later"):
            await register(client, repo)
            await refresh(client, repo)
            times.append((await federated(client))["generated_at"])
            hands.jump(-3600)
        [finding] = (await client.get("/v1/findings?kind=conflict")).json()["findings"]
        assert finding["since"] == times[1]
        await client.delete("/v1/repos/a-later", headers=WRITER)
        times.append((await federated(client))["generated_at"])
    async with served(settings, hands) as client:
        await client.delete("/v1/repos/z-first", headers=WRITER)
        times.append((await federated(client))["generated_at"])

    assert times == sorted(times)


async def test_pages_of_the_history_are_in_the_order_of_its_lines(
    client: httpx.AsyncClient, hands: Hands, upstream: respx.MockRouter
) -> None:
    await register(client)
    route = upstream.get(url_of("state-hub"))
    entries = [capability(number) for number in range(64)]
    for _ in range(3):
        route.respond(content=index(*entries))
        await refresh(client)
        entries = entries[: len(entries) // 4]
        route.respond(content=index(*entries))
        await refresh(client)
        await client.post("/v1/repos/state-hub/accept", headers=WRITER)
        hands.jump(-3600)

    whole = (await client.get("/v1/repos/state-hub/history")).json()["history"]
    pages, path = [], "/v1/repos/state-hub/history?limit=1"
    while path:
        answer = await client.get(path)
        pages += answer.json()["history"]
        path = str(answer.links["next"]["url"]) if "next" in answer.links else ""

    assert [line["action"] for line in whole] == ["accept", "accept", "accept", "register"]
    assert whole[0]["at"] < whole[1]["at"]
    assert pages == whole


@pytest.mark.usefixtures("sources")
async def test_in_the_last_second_of_the_year_9999_everything_goes_on(settings: Settings, hands: Hands) -> None:
    hands.jump((END - START).total_seconds())
    async with served(settings, hands) as client:
        await register(client, "z-first")
        assert (await refresh(client, "z-first"))["outcome"] == "changed"
        shown = (await client.get("/v1/repos/z-first")).json()

        assert (shown["source"]["state"], shown["source"]["next_check_at"]) == ("fresh", "9999-12-31T23:59:59Z")
        assert (await federated(client))["generated_at"] == "9999-12-31T23:59:59Z"
        assert (await client.get("/sources/z-first", headers={"Accept": "text/html"})).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
