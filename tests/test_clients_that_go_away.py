"""What a client asked for and did not wait for: what was stored is served, and what was not begun leaves no trace."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.builders import WRITER, capability, federated, index, refresh, register, registration, url_of

if TYPE_CHECKING:
    import respx

    from shared.hub import Hub

WHOLE = index(*(capability(number) for number in range(5)))
LESS = index(capability(1))
MOVED = {"url": url_of("state-hub"), "domain": "elsewhere"}


class Disk:
    """A disk that takes its time once *slow* is called, until *go_on* is."""

    def __init__(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = asyncio.Event()
        store: Any = hub.store
        self._store, self._monkeypatch, self._save = store, monkeypatch, store._save
        self._loop, self._free = asyncio.get_running_loop(), threading.Event()

    def slow(self) -> None:
        """Let what the store writes from now on wait."""
        self._monkeypatch.setattr(self._store, "_save", self._late)

    def _late(self, *batch: Any) -> None:
        self._loop.call_soon_threadsafe(self.begun.set)
        self._free.wait(20)
        self._save(*batch)

    def go_on(self) -> None:
        """Let it write, this and all that comes."""
        self._free.set()


@pytest.fixture
async def disk(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The disk under the store."""
    made = Disk(hub, monkeypatch)
    yield made
    made.go_on()


async def leave(client: httpx.AsyncClient, disk: Disk, method: str, path: str, body: Any = None) -> None:
    """Send a request and go away while what it asks for is written."""
    disk.slow()
    request = asyncio.create_task(client.request(method, path, json=body, headers=WRITER))
    await disk.begun.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    disk.go_on()


async def becomes(client: httpx.AsyncClient, expected: list[tuple[str, str, int]]) -> None:
    """Return when the federated index names these sources, with domain and capabilities; fail after 10 s."""
    shown: Any = None
    try:
        async with asyncio.timeout(10):
            while shown != expected:
                await asyncio.sleep(0.01)
                rows = (await federated(client))["sources"]
                shown = [(row["repo"], row["domain"], row["capability_count"]) for row in rows]
    except TimeoutError:
        assert shown == expected


@pytest.fixture
async def held(client: httpx.AsyncClient, upstream: respx.MockRouter) -> respx.Route:
    """A repo that serves five capabilities, and of which less is held."""
    route = upstream.get(url_of("state-hub")).respond(content=WHOLE)
    await register(client)
    await refresh(client)
    route.respond(content=LESS)
    assert (await refresh(client))["outcome"] == "held"
    return route


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/repos"), ("PUT", "/v1/repos/state-hub")], ids=["register", "replace"]
)
async def test_a_registration_that_is_stored_is_fetched_and_served(
    client: httpx.AsyncClient, disk: Disk, upstream: respx.MockRouter, method: str, path: str
) -> None:
    upstream.get(url_of("state-hub")).respond(content=WHOLE)

    await leave(client, disk, method, path, registration())

    await becomes(client, [("state-hub", "helix_forge", 0)])
    assert (await client.post("/v1/federated/compose", headers=WRITER)).json()["counts"] == {"changed": 1}
    await becomes(client, [("state-hub", "helix_forge", 5)])


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("PUT", "/v1/repos/state-hub", MOVED, [("state-hub", "elsewhere", 5)]),
        ("PATCH", "/v1/repos/state-hub", {"domain": "elsewhere"}, [("state-hub", "elsewhere", 5)]),
        ("DELETE", "/v1/repos/state-hub", None, []),
        ("POST", "/v1/repos/state-hub/accept", None, [("state-hub", "helix_forge", 1)]),
    ],
    ids=["replace", "update", "deregister", "accept"],
)
async def test_what_is_stored_is_served_though_nobody_waits_for_the_answer(  # noqa: PLR0917 - fixtures
    client: httpx.AsyncClient, disk: Disk, method: str, path: str, body: Any, expected: list[tuple[str, str, int]]
) -> None:
    await leave(client, disk, method, path, body)

    await becomes(client, expected)


@pytest.mark.usefixtures("held")
async def test_a_check_goes_on_without_whoever_asked_for_it(
    client: httpx.AsyncClient, held: respx.Route, hub: Hub
) -> None:
    fetched, answered = asyncio.Event(), asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        fetched.set()
        await answered.wait()
        return httpx.Response(200, content=index(*(capability(number) for number in range(7))))

    held.mock(side_effect=answer)
    for path in ("/v1/repos/state-hub/refresh", "/v1/federated/compose?force=true"):
        request = asyncio.create_task(client.post(path, headers=WRITER))
        await fetched.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert hub.sources.under_way() == ["state-hub"]
    answered.set()

    await becomes(client, [("state-hub", "helix_forge", 7)])
