from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import WRITER, index, problem, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from tests.builders import Hands

NEVER: dict[str, object] = {
    "state": "never",
    "state_since": "2026-11-23T10:00:00Z",
    "checked_at": None,
    "succeeded_at": None,
    "changed_at": None,
    "next_check_at": "2026-11-23T10:00:00Z",
    "consecutive_failures": 0,
    "error": None,
    "http_status": None,
    "digest": None,
    "bytes": None,
    "duration_ms": None,
    "capability_count": 0,
    "served_count": 0,
    "served_elsewhere": [],
    "held_digest": None,
}


async def test_answers_with_the_registration_and_its_source(client: httpx.AsyncClient, hub: Hub) -> None:
    made = await register(client)

    answer = await client.get("/v1/repos/state-hub")

    assert (answer.status_code, answer.headers["etag"]) == (200, (await hub.store.get("state-hub")).etag)
    assert answer.json() == made | {"source": NEVER}


async def test_shows_what_a_check_found(client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands) -> None:
    content = index()
    upstream.get(url_of("state-hub")).respond(content=content)
    await register(client)
    hands.advance(60)
    await refresh(client)

    source = (await client.get("/v1/repos/state-hub")).json()["source"]

    times = ("state_since", "checked_at", "succeeded_at", "changed_at")
    found: dict[str, object] = dict.fromkeys(times, "2026-11-23T10:01:00Z")
    found |= {"state": "fresh", "http_status": 200, "bytes": len(content), "duration_ms": 0}
    found |= {"capability_count": 1, "served_count": 1}
    assert source == NEVER | found | {name: source[name] for name in ("digest", "next_check_at")}
    assert "2026-11-23T10:55:00Z" <= source["next_check_at"] <= "2026-11-23T11:07:00Z"
    assert source["digest"].startswith("sha256:")


@pytest.mark.parametrize("tag", ['"1"', 'W/"1"', "*"])
async def test_never_answers_that_nothing_changed(client: httpx.AsyncClient, tag: str) -> None:
    await register(client)

    assert (await client.get("/v1/repos/state-hub", headers={"If-None-Match": tag})).status_code == 200


@pytest.mark.parametrize("name", ["nobody", "State-Hub", "state-hub%0A", "%2e%2e", "a b", "%00", "é", "x" * 3000])
async def test_knows_no_repo_that_is_not_registered(client: httpx.AsyncClient, name: str) -> None:
    await register(client)

    problem(await client.get(f"/v1/repos/{name}"), "repo-not-found")


async def test_knows_no_repo_that_was_deregistered(client: httpx.AsyncClient) -> None:
    await register(client)
    await client.delete("/v1/repos/state-hub", headers=WRITER)

    problem(await client.get("/v1/repos/state-hub"), "repo-not-found")
