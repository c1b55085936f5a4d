"""What is answered when a write is on disk and the federated index that shows it can't be written."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from shared.hub import Pace
from shared.problems import StorageUnavailable
from tests.builders import WRITER, capability, federated, index, problem, refresh, register, url_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import respx

    from shared.hub import Hub

ENTRIES = [capability(number) for number in range(8)]


class Volume:
    """A volume that refuses to open some files for writing."""

    def __init__(self) -> None:
        self.number = 0
        self.names: tuple[str, ...] = ()

    def open(self, path: Any, *how: Any, **named: Any) -> int:
        """Open a file, or refuse."""
        if self.number and any(name in str(path) for name in self.names):
            raise OSError(self.number, os.strerror(self.number))
        return _open(path, *how, **named)


_open = os.open


@pytest.fixture
def pace() -> Pace:
    """Compose soon after a failure."""
    return Pace(gather_seconds=(0.01, 0.01))


@pytest.fixture
def volume(monkeypatch: pytest.MonkeyPatch) -> Iterator[Volume]:
    """A volume that takes everything until the test says otherwise."""
    made = Volume()
    monkeypatch.setattr(os, "open", made.open)
    yield made
    made.number = 0


@pytest.fixture
async def sources(client: httpx.AsyncClient, upstream: respx.MockRouter) -> respx.Route:
    """A repo that was read."""
    route = upstream.get(url_of("state-hub")).respond(content=index(*ENTRIES))
    await register(client)
    await refresh(client)
    return route


WRITES: dict[str, tuple[str, str, Any, str]] = {
    "deregister": ("DELETE", "/v1/repos/state-hub", None, "state-hub is deregistered."),
    "update": (
        "PATCH", "/v1/repos/state-hub", {"domain": "other"},
        "The registration of state-hub is changed, and at revision 2.",
    ),
    "replace": (
        "PUT", "/v1/repos/state-hub", {"url": url_of("state-hub"), "domain": "other"},
        "The registration of state-hub is replaced, and at revision 2.",
    ),
    "refresh": ("POST", "/v1/repos/state-hub/refresh", None, "state-hub was checked: changed."),
    "compose": (
        "POST", "/v1/federated/compose?force=true", None, "1 source was checked; what was let in is kept.",
    ),
}


@pytest.mark.parametrize(
    ("number", "status", "cause"),
    [
        (errno.ENOSPC, 507, "the hub's volume is full"),
        (errno.EIO, 503, "the hub can't write to its volume"),
        (errno.EMFILE, 503, "the hub may open no more files at present"),
    ],
    ids=["full", "broken", "handles"],
)
@pytest.mark.parametrize("write", WRITES)
async def test_the_answer_says_what_is_done_and_the_index_shows_it_later_by_itself(  # noqa: PLR0917 - fixtures
    client: httpx.AsyncClient, sources: respx.Route, volume: Volume, write: str, number: int, status: int, cause: str
) -> None:
    sources.respond(content=index(*ENTRIES, capability(100)))
    before = await federated(client)
    method, path, body, done = WRITES[write]
    volume.number, volume.names = number, (".draft-federated.json",)

    answer = await client.request(method, path, json=body, headers=WRITER)

    assert answer.status_code == status
    detail = problem_at(answer, status)["detail"]
    assert detail.startswith(f"{done} The federated index does not show it yet: {cause}.")
    assert "Nothing was changed" not in detail
    assert await federated(client) == before
    registered = await client.get("/v1/repos/state-hub")
    assert registered.status_code == (404 if write == "deregister" else 200)

    volume.number = 0
    async with asyncio.timeout(10):
        while (await federated(client))["serial"] == before["serial"]:  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)
    shown = await federated(client)
    assert [source["repo"] for source in shown["sources"]] == ([] if write == "deregister" else ["state-hub"])


def problem_at(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the body of the problem, whose status is 503 or, on a full volume, 507."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (body["type"], body["status"]) == ("http://hub/problems/not-shown-yet", status)
    return body


async def test_an_acceptance_says_that_the_content_is_let_in(
    client: httpx.AsyncClient, sources: respx.Route, volume: Volume
) -> None:
    sources.respond(content=index(ENTRIES[0]))
    assert (await refresh(client))["outcome"] == "held"
    volume.number, volume.names = errno.EIO, (".draft-federated.json",)

    answer = await client.post("/v1/repos/state-hub/accept", headers=WRITER)

    assert problem(answer, "not-shown-yet")["detail"].startswith("What was held of state-hub is let in.")
    assert (await client.get("/v1/repos/state-hub")).json()["source"]["capability_count"] == 1


async def test_so_does_a_composition_that_fails_for_want_of_memory(
    client: httpx.AsyncClient, sources: respx.Route, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise MemoryError

    assert sources.called
    monkeypatch.setattr(hub.federation, "_next", fail)

    answer = await client.delete("/v1/repos/state-hub", headers=WRITER)

    assert "state-hub is deregistered. The federated index does not show it yet: composing it failed." in (
        problem(answer, "not-shown-yet")["detail"]
    )


async def test_checks_of_which_one_can_not_be_kept_do_not_say_that_nothing_was_changed(
    client: httpx.AsyncClient, sources: respx.Route, volume: Volume, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("other")).respond(content=index(capability(50)))
    await register(client, "other")
    sources.respond(content=index(*ENTRIES, capability(100)))
    volume.number, volume.names = errno.ENOSPC, ("/.other-",)

    answer = await client.post("/v1/federated/compose?force=true", headers=WRITER)

    assert (answer.status_code, answer.json()["type"]) == (507, "http://hub/problems/storage-unavailable")
    assert "Nothing was changed" not in answer.json()["detail"]
    assert "what they brought is kept" in answer.json()["detail"]
    assert (await client.get("/v1/repos/state-hub")).json()["source"]["capability_count"] == 9


async def test_a_file_that_can_not_be_removed_does_not_fail_a_deregistration(
    client: httpx.AsyncClient, sources: respx.Route, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "broken")

    assert sources.called
    monkeypatch.setattr(os, "unlink", fail)

    answer = await client.delete("/v1/repos/state-hub", headers=WRITER)

    assert answer.status_code == 204
    assert "state-hub.json could not be removed" in caplog.text
    assert (await federated(client))["sources"] == []


async def test_what_is_not_stored_says_so(
    client: httpx.AsyncClient, sources: respx.Route, volume: Volume, hub: Hub
) -> None:
    assert sources.called
    volume.number, volume.names = errno.ENOSPC, (".draft-registrations.json",)
    before = await hub.store.registrations()

    answer = await client.delete("/v1/repos/state-hub", headers=WRITER)

    assert (answer.status_code, answer.json()["type"]) == (507, "http://hub/problems/storage-unavailable")
    assert "Nothing was changed" in answer.json()["detail"]
    assert await hub.store.registrations() == before
    assert StorageUnavailable.slug in answer.json()["type"]
