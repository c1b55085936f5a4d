from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from starlette.applications import Starlette

from router import create_app
from shared.problems import StartError
from shared.server import SHUTDOWN_SECONDS, probe, run_server
from shared.server.guard import GuardedProtocol
from shared.storage.files import FilesEngine
from shared.version import VERSION
from tests.builders import TOKEN
from tests.processes import CLI, refused, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(autouse=True)
def released(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let go of the data directory of each hub whose server only seems to run."""
    engines: list[FilesEngine] = []
    opening = FilesEngine.open

    def noted(engine: FilesEngine) -> None:
        opening(engine)
        engines.append(engine)

    monkeypatch.setattr(FilesEngine, "open", noted)
    yield
    for engine in engines:
        engine.release()


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[uvicorn.Config]:
    """The configurations that uvicorn was to serve; each server starts, and stops at once."""
    configs: list[uvicorn.Config] = []

    async def stop(server: uvicorn.Server) -> None:
        configs.append(server.config)

    monkeypatch.setattr(uvicorn.Server, "main_loop", stop)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    for name in ("PUBLIC_URL", "DATA_DIR", "TOKEN"):
        monkeypatch.delenv(f"REUSE_SURFACE_{name}", raising=False)
    return configs


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")], ids=["one", "all"])
def test_says_where_it_is_and_what_it_may_do_once_it_listens(
    served: list[uvicorn.Config], tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, shown: str
) -> None:
    caplog.set_level(logging.INFO, "hub.server")

    url = run_server(create_app, host, 0, str(tmp_path / "data"))

    assert re.fullmatch(rf"http://{shown}:[1-9][0-9]+", url)
    assert len(served) == 1
    assert (tmp_path / "data" / "hub.lock").exists()
    place, data, sources = caplog.messages
    assert f"at {url}, listening on {host}:{url.rpartition(':')[2]}" in place
    assert data == (
        f"Its data is in {tmp_path / 'data'}. "
        "It is read-only: neither REUSE_SURFACE_TOKEN nor REUSE_SURFACE_TOKENS_FILE is set."
    )
    assert sources == "Sources may be on public addresses at the ports 80, 443, 8080, 8443 only."


def test_says_that_what_the_operator_names_is_read_at_any_port(
    served: list[uvicorn.Config], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_ALLOW_NETWORKS", "git.internal,10.1.2.0/24")
    caplog.set_level(logging.INFO, "hub.server")

    run_server(create_app, "127.0.0.1", 0, str(tmp_path / "data"))

    assert len(served) == 1
    assert caplog.messages[2] == (
        "Sources may be on public addresses at the ports 80, 443, 8080, 8443, "
        "and at any port of git.internal, 10.1.2.0/24."
    )


@pytest.mark.parametrize("year", [0, 9999, 10021, 10**9], ids=["1970", "9999", "10021", "beyond"])
def test_a_wall_clock_that_no_date_can_tell_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, year: int
) -> None:
    ticks: list[bool] = []

    async def tick(server: uvicorn.Server) -> None:
        monkeypatch.setattr(time, "time", lambda: (year - 1970) * 31_556_952.0 if year else 0.0)
        ticks.append(await server.on_tick(0))
        server.should_exit = True
        ticks.append(await server.on_tick(10))

    monkeypatch.setattr(uvicorn.Server, "main_loop", tick)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    run_server(create_app, "127.0.0.1", 0, str(tmp_path / "data"))

    assert ticks == [False, True]


@pytest.mark.usefixtures("served")
def test_ctrl_c_ends_it_as_being_told_to_stop_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", interrupted)

    assert run_server(create_app, "127.0.0.1", 0, str(tmp_path / "data")).startswith("http://127.0.0.1:")


def test_says_what_was_set_and_what_is_no_setting(
    served: list[uvicorn.Config], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "hub.server")
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", TOKEN)
    monkeypatch.setenv("REUSE_SURFACE_ALLOW_NETWORKS", "10.0.0.0/8")
    monkeypatch.setenv("REUSE_SURFACE_TOKENFILE", "x")

    run_server(create_app, "127.0.0.1", 0, str(tmp_path / "data"))

    assert len(served) == 1
    assert caplog.messages[0].endswith("did you mean REUSE_SURFACE_TOKENS_FILE?")
    assert caplog.messages[2].endswith("Writing needs a token.")
    assert caplog.messages[3].endswith("at the ports 80, 443, 8080, 8443, and at any port of 10.0.0.0/8.")


def test_takes_the_data_directory_from_the_environment_unless_told(
    served: list[uvicorn.Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_DATA_DIR", str(tmp_path / "data"))

    run_server(create_app, "127.0.0.1", 0, None)

    assert len(served) == 1
    assert (tmp_path / "data" / "hub.lock").exists()


def test_serves_within_its_bounds_and_says_nothing_of_itself(
    served: list[uvicorn.Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REUSE_SURFACE_IDLE_SECONDS", "7")
    monkeypatch.setenv("REUSE_SURFACE_MAX_HEAD_BYTES", "9")

    run_server(create_app, "127.0.0.1", 0, str(tmp_path / "data"))

    [config] = served
    http: Any = config.http
    assert isinstance(http, partial)
    assert http.func is GuardedProtocol
    assert (http.args[0].head_bytes, http.args[0].idle_seconds) == (9, 7)
    assert (config.server_header, config.proxy_headers, config.access_log) == (False, False, False)
    assert config.timeout_graceful_shutdown == SHUTDOWN_SECONDS


def test_says_where_there_are_fewer_connections_than_were_asked_for(
    served: list[uvicorn.Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shared.server.open_files", lambda: 1024)
    run_server(create_app, "127.0.0.1", 0, str(tmp_path / "data"))

    assert len(served) == 1
    says = "The hub keeps at most 496 connections, and not 10,000 (REUSE_SURFACE_MAX_CONNECTIONS): "
    assert any(message == f"{says}this process may have 1024 files open." for message in caplog.messages)


def test_too_few_files_stop_the_start(served: list[uvicorn.Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.server.open_files", lambda: 500)

    with pytest.raises(StartError, match="500 files"):
        run_server(create_app, "127.0.0.1", 0, None)

    assert served == []


def test_a_bad_setting_stops_the_start(served: list[uvicorn.Config], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REUSE_SURFACE_TOKEN", TOKEN[:5])

    with pytest.raises(StartError, match="REUSE_SURFACE_TOKEN"):
        run_server(create_app, "127.0.0.1", 0, None)

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


def test_every_line_is_json_where_that_was_asked_for(tmp_path: Path) -> None:
    with running(tmp_path / "data", REUSE_SURFACE_LOG="json") as server:
        # The line about the first is written by the time at which the second is answered.
        assert [server.ask("GET", "/v1/repos").status for _ in range(2)] == [200, 200]
        lines = [json.loads(line) for line in server.said().splitlines()]
    assert lines[0]["url"] == f"http://127.0.0.1:{server.port}"
    assert "127.0.0.1" in {line.get("client") for line in lines}

    said = refused(tmp_path / "data", REUSE_SURFACE_LOG="json", REUSE_SURFACE_TOKEN="short").splitlines()
    assert [json.loads(line)["level"] for line in said] == ["critical"]
    assert "REUSE_SURFACE_TOKEN" in json.loads(said[0])["message"]


WRONG = {"port": ["--port", "abc"], "option": ["--nothing"], "bytes": ["--host", b"\xff"]}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_a_wrong_command_line_is_json_too_where_that_was_asked_for(words: list[str | bytes]) -> None:
    for form, begin in (("text", b"reuse-surface: "), ("json", b"{")):
        ended = subprocess.run(
            [sys.executable, CLI, "serve", "--port", "0", *words],
            env={**os.environ, "REUSE_SURFACE_LOG": form}, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert (ended.returncode > 0, ended.stdout) == (True, b"")
        assert ended.stderr.startswith(begin)
    assert json.loads(ended.stderr)["level"] == "critical"


def test_a_traceback_before_the_log_is_set_up_is_json_too(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "commands.py").write_text("1 / 0", encoding="ascii")
    shutil.copy(CLI, tmp_path)

    ended = subprocess.run(
        [sys.executable, tmp_path / "cli.py", "serve"],
        env={**os.environ, "REUSE_SURFACE_LOG": "json"}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 1
    assert json.loads(ended.stderr)["message"].endswith("ZeroDivisionError: division by zero")


UNSTARTED = """
import contextlib
from starlette.applications import Starlette
from shared.logs import configure
from shared.problems import StartError
from shared.server import run_server

@contextlib.asynccontextmanager
async def lifespan(app):
    raise LookupError("no background")
    yield

configure("json")
try:
    run_server(lambda settings: Starlette(lifespan=lifespan), "127.0.0.1", 0, None)
except StartError as fault:
    raise SystemExit(42) from fault
"""


def test_a_hub_whose_background_can_not_begin_does_not_start(
    served: list[uvicorn.Config], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        if not served:
            raise LookupError("no background")
        yield

    caplog.set_level(logging.INFO, "hub.server")

    with pytest.raises(StartError, match="the lines before this one say why"):
        run_server(lambda _: Starlette(lifespan=lifespan), "127.0.0.1", 0, str(tmp_path))

    assert served == []
    assert not any("listening" in message for message in caplog.messages)


def test_what_can_not_begin_in_the_background_stops_the_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", UNSTARTED], cwd=CLI.parent, capture_output=True, timeout=60, check=False, text=True
    )

    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert (ended.returncode, ended.stdout) == (42, "")
    assert "LookupError: no background" in lines[0]["message"] + lines[0].get("traceback", "")
    assert {line["logger"] for line in lines} == {"uvicorn.error"}


def test_its_command_line_says_what_it_is_and_the_probe_finds_it(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        folder = Path(f"/proc/{server.process.pid}")
        words = (folder / "cmdline").read_bytes().decode().split("\0")
        (tmp_path / "proc" / "1").mkdir(parents=True)
        words[words.index("--port") + 1] = str(server.port)
        (tmp_path / "proc" / "1" / "cmdline").write_text("\0".join(words))
        assert [Path(words[1]).name, words[2]] == ["cli.py", "serve"]
        found = subprocess.run(["pgrep", "-f", "cli.py serve"], capture_output=True, text=True, check=True).stdout
        assert str(server.process.pid) in found.split()
        shown = ["ps", "-p", str(server.process.pid), "-o", "args="]
        assert "cli.py serve" in subprocess.run(shown, capture_output=True, text=True, check=True).stdout
        assert probe.check(tmp_path / "proc") is None
    assert "does not answer" in str(probe.check(tmp_path / "proc"))


def test_the_client_runs_as_a_module_that_was_compiled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", ["here", *sys.path])
    monkeypatch.setattr(sys, "argv", ["cli.py", "version"])

    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(Path(probe.__file__).with_name("cli.py")), run_name="__main__")

    assert end.value.code == 0
    assert capsys.readouterr().out.strip() == VERSION
