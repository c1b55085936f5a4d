"""What an answered write changed is what every read after it shows, however slowly the search index is made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from shared.hub import Pace
from shared.search.index import Index
from tests.builders import WRITER, capability, index, refresh, register, registration, url_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx
    import respx

    from shared.hub import Hub

    Write = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]

ALPHA, BETA, GAMMA = (capability(number, name=f"{name} here") for number, name in enumerate(("Alpha", "Beta", "Gamma")))
NAMES = {row["name"].split()[0].lower(): row["id"] for row in (ALPHA, BETA, GAMMA)}
HTML = {"Accept": "text/html"}


def made_slowly(*about: Any) -> Index:
    time.sleep(0.2)
    return Index(*about, small_change=0)


@pytest.fixture
def pace() -> Pace:
    """Let an index be made anew for each edition, slowly."""
    return Pace(make_index=made_slowly)


@pytest.fixture
async def served(client: httpx.AsyncClient, upstream: respx.MockRouter) -> respx.Route:
    """A repo that serves Alpha and Beta."""
    route = upstream.get(url_of("state-hub")).respond(content=index(ALPHA, BETA))
    await register(client)
    await refresh(client)
    assert (await client.get("/v1/capabilities")).json()["total"] == 2
    return route


async def readings(client: httpx.AsyncClient) -> dict[str, set[str]]:
    """Return which of the names each way of reading finds."""
    listed = (await client.get("/v1/capabilities?facets=true")).json()
    document = (await client.get("/v1/federated")).json()
    changes = (await client.get("/v1/federated/changes?since=0")).json()["capabilities"]["upserted"]
    found: dict[str, set[str]] = {
        "list": _names(listed["capabilities"]),
        "federated": _names(document["capabilities"]),
        "changes": _names(changes),
        "words": set(),
        "ard": set(),
        "page": set(),
    }
    for name in NAMES:
        if (await client.get(f"/v1/capabilities?q={name}")).json()["total"]:
            found["words"].add(name)
        results = await client.post("/ard/search", json={"query": {"text": name}})
        if results.json()["results"]:
            found["ard"].add(name)
        if f"{name.capitalize()} here" in (await client.get(f"/capabilities?q={name}", headers=HTML)).text:
            found["page"].add(name)
    assert sum(one["count"] for one in listed["facets"]["domain"]) == listed["total"]
    return found


def _names(rows: list[dict[str, Any]]) -> set[str]:
    return {name for name, entry_id in NAMES.items() for row in rows if row["id"] == entry_id}


def refreshing(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return client.post("/v1/repos/state-hub/refresh", headers=WRITER)


def composing(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return client.post("/v1/federated/compose?force=true", headers=WRITER)


def disabling(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return client.patch("/v1/repos/state-hub", json={"enabled": False}, headers=WRITER)


def replacing(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return client.put("/v1/repos/state-hub", json=registration(enabled=False), headers=WRITER)


def deregistering(client: httpx.AsyncClient) -> Awaitable[httpx.Response]:
    return client.delete("/v1/repos/state-hub", headers=WRITER)


@pytest.mark.parametrize(
    ("write", "shown"),
    [
        pytest.param(refreshing, {"alpha", "gamma"}, id="refresh"),
        pytest.param(composing, {"alpha", "gamma"}, id="compose"),
        pytest.param(disabling, set(), id="update"),
        pytest.param(replacing, set(), id="replace"),
        pytest.param(deregistering, set(), id="deregister"),
    ],
)
async def test_every_reading_shows_what_was_written(
    client: httpx.AsyncClient, served: respx.Route, write: Write, shown: set[str]
) -> None:
    served.respond(content=index(ALPHA, GAMMA))

    answer = await write(client)
    # The search is what may lag behind; it is asked first.
    found = await readings(client)

    assert answer.status_code < 300, answer.text
    assert found == dict.fromkeys(found, shown)


async def test_what_was_accepted_is_found_and_its_finding_is_gone(
    client: httpx.AsyncClient, served: respx.Route
) -> None:
    served.respond(content=index(GAMMA))
    held = await refresh(client)
    before = (await client.get("/v1/findings?kind=held")).json()["total"]

    answer = await client.post("/v1/repos/state-hub/accept", headers=WRITER)
    found = await readings(client)

    assert (held["outcome"], before, answer.status_code) == ("held", 1, 200)
    assert found == {way: {"gamma"} for way in found}
    assert (await client.get("/v1/findings?kind=held")).json()["total"] == 0


@pytest.mark.usefixtures("served")
async def test_a_domain_that_was_changed_is_what_filters_and_counts_go_by(client: httpx.AsyncClient) -> None:
    await client.patch("/v1/repos/state-hub", json={"domain": "elsewhere"}, headers=WRITER)

    found = (await client.get("/v1/capabilities?domain=elsewhere&facets=true")).json()

    assert (found["total"], found["facets"]["domain"]) == (2, [{"value": "elsewhere", "count": 2}])


async def test_a_change_that_a_check_brought_by_itself_makes_no_search_wait(
    client: httpx.AsyncClient, hub: Hub, served: respx.Route
) -> None:
    served.respond(content=index(ALPHA, GAMMA))

    await hub.sources.refresh("state-hub")
    await hub.federation.shown()
    answer = await client.get("/v1/capabilities?q=gamma")

    assert (answer.status_code, answer.json()["total"]) == (200, 0)
