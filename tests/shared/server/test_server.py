from __future__ import annotations

import asyncio
import re
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from router import create_app
from shared.problems import StartError
from shared.server import SHUTDOWN_SECONDS, run_server
from shared.server.guard import GuardedProtocol
from tests.builders import TOKEN
from tests.processes import running

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.applications import Starlette


async def start_and_stop(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        pass


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What uvicorn was asked to serve, in place of serving it."""
    calls: list[dict[str, Any]] = []

    def run(app: Starlette, **options: Any) -> None:
        calls.append(options)
        asyncio.run(start_and_stop(app))

    monkeypatch.setattr(uvicorn, "run", run)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name in ("PUBLIC_URL", "DATA_DIR", "TOKEN"):
        monkeypatch.delenv(f"REUSE_SURFACE_{name}", raising=False)
    return calls


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "http://127.0.0.1:8099"), ("::1", "http://[::1]:8099")], ids=["IPv4", "IPv6"]
)
def test_runs_the_hub_at_the_address_on_the_data_directory(
    served: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str], host: str, shown: str
) -> None:
    assert run_server(create_app, host, 8099, str(tmp_path / "data")) == shown

    assert [(call["host"], call["port"]) for call in served] == [(host, 8099)]
    assert (tmp_path / "data" / "hub.lock").exists()
    assert shown in capsys.readouterr().err


def test_takes_the_data_directory_from_the_environment_unless_told(
    served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_DATA_DIR", str(tmp_path / "data"))

    run_server(create_app, "127.0.0.1", 8099, None)

    assert len(served) == 1
    assert (tmp_path / "data" / "hub.lock").exists()


def test_serves_within_its_bounds_and_says_nothing_of_itself(
    served: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_IDLE_SECONDS", "7")
    monkeypatch.setenv("REUSE_SURFACE_MAX_HEAD_BYTES", "9")

    run_server(create_app, "127.0.0.1", 8099, str(tmp_path / "data"))

    [options] = served
    assert isinstance(options["http"], partial)
    assert options["http"].func is GuardedProtocol
    assert options["http"].args[0].head_bytes == 9
    assert (options["server_header"], options["proxy_headers"], options["access_log"]) == (False, False, False)
    assert (options["timeout_keep_alive"], options["timeout_graceful_shutdown"]) == (7, SHUTDOWN_SECONDS)


def test_a_bad_setting_stops_the_start(served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", TOKEN[:5])

    with pytest.raises(StartError, match="REUSE_SURFACE_TOKEN"):
        run_server(create_app, "127.0.0.1", 8099, None)

    assert served == []


def test_a_hub_answers_every_form_of_request_on_one_connection(tmp_path: Path) -> None:
    body = b'{"repo": "up", "domain": "d", "url": "https://h.example/i.yaml"}'
    post = b"POST /v1/repos HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n" + (
        b"Authorization: Bearer %s\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (TOKEN.encode(), len(body), body)
    )
    sent = [
        (post, b"201 Created"),
        (b"GET http://hub/v1/repos/up HTTP/1.1\r\nHost: hub\r\n\r\n", b"200 OK"),
        (b"OPTIONS * HTTP/1.1\r\nHost: hub\r\n\r\n", b"204 No Content"),
        (b"GET http://hub HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n", b"200 OK"),
    ]
    with running(tmp_path / "data") as server, socket.create_connection(("127.0.0.1", server.port), 20) as client:
        client.sendall(b"".join(request for request, _ in sent))
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    assert re.findall(rb"HTTP/1\.1 (.*)\r", answer) == [status for _, status in sent]
    assert b"\r\nallow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\r\n" in answer
