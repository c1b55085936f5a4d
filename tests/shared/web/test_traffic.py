from __future__ import annotations

import logging
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from router import ENDPOINTS, application
from shared.pages import PAGE
from shared.tally import Tally
from shared.web.limits import Clients
from shared.web.traffic import Traffic
from tests.builders import TOKEN, WRITER, Hands, register, registration

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from shared.hub import Hub


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of every line about a request."""
    return [record.__dict__["fields"] for record in caplog.records if record.name == "hub.requests"]


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "hub.requests")


async def test_a_request_is_one_line_with_its_id_route_status_and_duration(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.get("/v1/repos/nobody?x=1", headers={"X-Request-ID": "from-the-caller"})

    line = told(caplog)[0]
    assert line.pop("duration_ms") >= 0
    assert line == {
        "request_id": "from-the-caller",
        "method": "GET",
        "route": "/v1/repos/{repo}",
        "path": "/v1/repos/nobody",
        "status": 400,
        "client": "127.0.0.1",
        "token": None,
    }


async def test_a_line_says_who_asked(
    client: httpx.AsyncClient, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    hub.limits.clients._trusted.append(ip_network("127.0.0.1"))

    await register(client)
    await client.put("/v1/repos/state-hub", json={}, headers={**WRITER, "X-Forwarded-For": "203.0.113.7"})
    await client.put("/v1/repos/state-hub", json={}, headers={"Authorization": f"Bearer {TOKEN}x"})

    assert [(line["client"], line["token"]) for line in told(caplog)] == [
        ("127.0.0.1", "operator"), ("203.0.113.7", "operator"), ("127.0.0.1", None),
    ]  # fmt: skip
    said = [record.getMessage() for record in caplog.records if record.name == "hub.requests"]
    assert said[1].startswith("PUT /v1/repos/state-hub 422 in ")
    assert said[1].endswith(" ms from 203.0.113.7 with the token operator")
    assert re.fullmatch(r"PUT /v1/repos/state-hub 401 in [0-9.]+ ms from 127\.0\.0\.1", said[2])


async def test_no_path_begins_a_line_of_its_own(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    await client.get("/a%0AERROR%20hub:%20all%20is%20lost")

    assert "/a%0AERROR%20hub%3A%20all%20is%20lost 404" in caplog.messages[0]


@pytest.mark.parametrize("path", ["/v1/federated", "/health", "/ready", "/metrics"])
async def test_successes_of_what_is_asked_all_the_time_are_counted_not_told(
    client: httpx.AsyncClient, hub: Hub, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    answer = await client.get(path)

    assert answer.status_code == 200
    assert told(caplog) == []
    assert hub.tally.requests == {("GET", path, 200): 1}
    assert sum(hub.tally.answers[path].counts) == 1


async def test_their_failures_are_told(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    await client.get("/v1/federated?dance=1")

    assert [line["status"] for line in told(caplog)] == [400]


@pytest.mark.parametrize(("seconds", "lines"), [(1.0, 0), (1.1, 1)], ids=["quick", "slow"])
async def test_their_slow_successes_are_told(caplog: pytest.LogCaptureFixture, seconds: float, lines: int) -> None:
    hands = Hands()

    class Health:
        path = "/health"

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        scope["route"] = Health
        hands.advance(seconds)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    watched = Traffic(app, Tally(), hands.clock(), Clients([]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(watched), base_url="http://hub") as client:
        assert (await client.get("/health")).text == "ok"

    assert [line["duration_ms"] for line in told(caplog)] == [seconds * 1000] * lines


async def test_neither_tokens_nor_bodies_nor_queries_are_told(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await register(client, description="said in the body")
    await client.post(f"/v1/repos?token={TOKEN}", json=registration(), headers=WRITER)

    everything = repr([record.__dict__ for record in caplog.records])
    assert len(told(caplog)) == 2
    assert TOKEN not in everything
    assert "said in the body" not in everything


async def test_what_callers_invent_makes_no_series_without_end(client: httpx.AsyncClient, hub: Hub) -> None:
    for number in range(3):
        await client.request(f"DANCE{number}", f"/{'x' * 500}{number}")

    assert hub.tally.requests == {("other", "(none)", 404): 3}


async def test_a_crash_counts_as_500(hub: Hub) -> None:
    async def crash(*_: object) -> Any:
        raise RuntimeError

    app = application(hub, [*ENDPOINTS, ("GET", "/crash", crash, PAGE)])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        assert (await client.get("/crash")).status_code == 500

    assert hub.tally.requests == {("GET", "/crash", 500): 1}


async def test_the_lifespan_passes_through(hub: Hub) -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> Any:
        return {}

    await Traffic(app, hub.tally, hub.clock, hub.limits.clients)({"type": "lifespan"}, nothing, nothing)

    assert seen == ["lifespan"]
    assert not hub.tally.requests
