from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.builders import WRITER, capability, federated, index, problem, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

ID = capability(1)["id"]


@pytest.fixture
async def full(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub where two repos claim the same id, the first rightly."""
    for repo in ("first", "second"):
        upstream.get(url_of(repo)).respond(content=index(capability(1, name=f"Of {repo}", note=repo)))
        await register(client, repo)
        await refresh(client, repo)
    return client


async def test_shows_what_is_served(full: httpx.AsyncClient) -> None:
    answer = await full.get(f"/v1/capabilities/first/{ID}")

    (served,) = (await federated(full))["capabilities"]
    assert answer.json() == served | {"served": True, "served_from": "first"}
    assert answer.headers["reuse-surface-serial"] == str((await federated(full))["serial"])


async def test_shows_the_loser_of_a_conflict_and_who_won(full: httpx.AsyncClient) -> None:
    answer = await full.get(f"/v1/capabilities/second/{ID}")

    assert answer.json() == {
        "id": ID, "name": "Of second", "note": "second", "source_repo": "second",
        "served": False, "served_from": "first",
    }  # fmt: skip


async def test_what_a_publisher_says_about_being_served_gives_way_to_the_hub(
    full: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    boasting = capability(1, served=True, served_from="second")
    upstream.get(url_of("second")).respond(content=index(boasting))
    await refresh(full, "second")

    answer = await full.get(f"/v1/capabilities/second/{ID}")

    pairs = json.loads(answer.content, object_pairs_hook=list)
    said = {"id": ID, "name": "Example 1", "source_repo": "second", "served": False, "served_from": "first"}
    assert (len(pairs), dict(pairs)) == (len(said), said)


@pytest.mark.parametrize("much", [[], ["z" * 1000] * 50], ids=["small", "large"])
@pytest.mark.parametrize("said", [{"served": 1}, {"served_from": "x"}, {}], ids=["served", "served_from", "neither"])
async def test_an_entry_is_shown_as_it_is_published_however_large_it_is_and_whatever_it_says(
    full: httpx.AsyncClient, upstream: respx.MockRouter, much: list[str], said: dict[str, object]
) -> None:
    quoting = capability(1, summary='","served":1,"', note='\\","served_from":"y', much=much, more=much, **said)
    upstream.get(url_of("second")).respond(content=index(quoting))
    await refresh(full, "second")

    answer = await full.get(f"/v1/capabilities/second/{ID}")
    again = await full.get(f"/v1/capabilities/second/{ID}", headers={"If-None-Match": answer.headers["etag"]})

    assert answer.json() == quoting | {"source_repo": "second", "served": False, "served_from": "first"}
    assert len(json.loads(answer.content, object_pairs_hook=list)) == len(answer.json())
    assert (again.status_code, len(answer.content) > 64 * 1024) == (304, bool(much))


async def test_the_loser_is_served_as_soon_as_the_winner_withdraws(full: httpx.AsyncClient) -> None:
    await full.delete("/v1/repos/first", headers=WRITER)

    assert (await full.get(f"/v1/capabilities/second/{ID}")).json()["served"] is True
    problem(await full.get(f"/v1/capabilities/first/{ID}"), "repo-not-found")


async def test_a_known_one_is_a_304_until_it_changes(full: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    target = f"/v1/capabilities/second/{ID}"
    tag = {"If-None-Match": (await full.get(target)).headers["etag"]}
    assert (await full.get(target, headers=tag)).status_code == 304
    upstream.get(url_of("first")).respond(content=index(capability(2)))

    await refresh(full, "first")

    assert (await full.get(target, headers=tag)).json()["served"] is True


@pytest.mark.parametrize(
    ("path", "slug"),
    [
        (f"nobody/{ID}", "repo-not-found"),
        ("first/nothing", "capability-not-found"),
        ("first/%00", "capability-not-found"),
    ],
)
async def test_what_is_not_there_is_not_found(full: httpx.AsyncClient, path: str, slug: str) -> None:
    problem(await full.get(f"/v1/capabilities/{path}"), slug)


async def test_what_is_hidden_is_not_shown(full: httpx.AsyncClient) -> None:
    await full.patch("/v1/repos/first", json={"enabled": False}, headers=WRITER)

    problem(await full.get(f"/v1/capabilities/first/{ID}"), "capability-not-found")
