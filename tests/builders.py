"""Valid data for tests, so that a test shows only what it breaks, and checks that say a whole rule in one call."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx

from router import ENDPOINTS, application
from shared.clock import Clock, RunningTime
from shared.hub import open_hub
from shared.model.rules import Precondition
from shared.problems import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.hub import Hub
    from shared.settings import Settings

TOKEN = "a-token-that-only-the-tests-know"
WRITER = {"Authorization": f"Bearer {TOKEN}"}
START = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
PLACES = {
    "repo": "state-hub", "id": "capability.example.n1", "domain": "helix_forge", "name": "federation",
    "slug": "not-found", "file": "hub.css", "identifier": "urn:air:reuse-surface.invalid:registry:federation",
}  # fmt: skip
"""What tests put in the place of each part of a path in ENDPOINTS."""


def registration(**changes: Any) -> dict[str, Any]:
    """Return the body of a valid registration; a change to None leaves the field out."""
    whole = {"repo": "state-hub", "url": "https://git.example.org/state-hub/capabilities.yaml", "domain": "helix_forge"}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def demand(*tags: str) -> Precondition:
    """Return the precondition that names these entity tags; ``*`` is met by any registration."""
    return Precondition(frozenset(tags) - {"*"}, exist="*" in tags)


def capability(number: int = 1, **changes: Any) -> dict[str, Any]:
    """Return one valid entry of an index."""
    return {"id": f"capability.example.n{number}", "name": f"Example {number}", **changes}


def index(*capabilities: dict[str, Any], **changes: Any) -> bytes:
    """Return a valid index, as JSON, which an index may be; without entries given it has one."""
    return json.dumps({"version": 1, "capabilities": list(capabilities or [capability()]), **changes}).encode()


@dataclass
class Hands:
    """The hands of the clocks that the tests turn."""

    passed: timedelta = field(default_factory=timedelta)
    jumped: timedelta = field(default_factory=timedelta)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.passed += timedelta(seconds=seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back; no time passes."""
        self.jumped += timedelta(seconds=seconds)

    def clock(self) -> Clock:
        """Return the clock that shows these hands."""
        return Clock(lambda: START + self.passed + self.jumped, lambda: 1000.0 + self.passed.total_seconds())

    def running(self, *, scheduled: bool = False) -> RunningTime:
        """Return the running time of a hub that starts now, and checks in the background if *scheduled*."""
        return RunningTime(self.clock(), scheduled=scheduled)


def problem(answer: httpx.Response, slug: str, *pointers: str) -> dict[str, Any]:
    """Check the whole error contract (RFC 9457) and that exactly *pointers* offend; return the body."""
    body: dict[str, Any] = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert body["type"] == f"http://hub/problems/{slug}", body
    assert (body["title"], body["status"]) == (PROBLEMS[slug].title, answer.status_code)
    assert answer.status_code == PROBLEMS[slug].status or slug == "storage-unavailable"
    assert body["detail"].endswith(".")
    assert unquote(body["instance"]) == answer.request.url.path
    assert [error["pointer"] for error in body.get("errors", [])] == list(pointers)
    assert answer.headers["access-control-allow-origin"] == "*"
    return body


def ard_error(answer: httpx.Response, status: int, code: str) -> str:
    """Check the whole error contract of ARD; return the message."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json"), answer.text
    assert answer.json().keys() == {"errorCode", "message"}
    assert answer.json()["errorCode"] == code
    assert answer.headers["access-control-allow-origin"] == "*"
    message: str = answer.json()["message"]
    return message


async def world(client: httpx.AsyncClient) -> list[str]:
    """Return all that the hub tells about itself: what a refusal must leave as it was."""
    paths = ("/v1/repos", "/v1/repos/state-hub/history", "/v1/federated")
    return [(await client.get(path)).text for path in paths]


def url_of(repo: str) -> str:
    """Return the URL under which the tests' repos publish their index."""
    return f"https://git.example.org/{repo}/capabilities.yaml"


async def register(client: httpx.AsyncClient, repo: str = "state-hub", **changes: Any) -> dict[str, Any]:
    """Register a repo through the API and return the answer."""
    body = registration(repo=repo, **{"url": url_of(repo), **changes})
    answer = await client.post("/v1/repos", json=body, headers=WRITER)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def tag(client: httpx.AsyncClient, repo: str = "state-hub") -> str:
    """Return the ETag of the registration of *repo*."""
    shown: str = (await client.get(f"/v1/repos/{repo}")).headers["etag"]
    return shown


async def refresh(client: httpx.AsyncClient, repo: str = "state-hub") -> dict[str, Any]:
    """Have the source of *repo* checked through the API and return the answer."""
    answer = await client.post(f"/v1/repos/{repo}/refresh", headers=WRITER)
    assert answer.status_code == 200, answer.text
    outcome: dict[str, Any] = answer.json()
    return outcome


async def federated(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return the federated index."""
    document: dict[str, Any] = (await client.get("/v1/federated")).json()
    return document


async def searchable(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return *client* once the hub searches the federated index that it serves."""
    async with asyncio.timeout(30):
        while True:
            searched, shown = [await client.get(path) for path in ("/v1/capabilities", "/v1/federated")]
            if searched.headers.get("reuse-surface-serial") == shown.headers["reuse-surface-serial"]:
                return client
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def served(settings: Settings, hands: Hands | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Run a hub of its own on *settings*, as a start or restart would, and yield a client to it."""
    hub = open_hub(settings, (hands or Hands()).clock())
    async with hub.running(), client_of(hub) as session:
        yield session


def client_of(hub: Hub) -> httpx.AsyncClient:
    """Return a client whose requests *hub* answers without a network."""
    transport = httpx.ASGITransport(application(hub, ENDPOINTS), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://hub")
