"""The real file as a program in an empty folder, a real hub on a socket, and a publisher that the hub reads from."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from router import create_app
from tests.builders import TOKEN, index

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from shared.settings import Settings

    Behave = Callable[[http.server.BaseHTTPRequestHandler], None]

CLI = Path(__file__).resolve().parent.parent.parent / "cli.py"
KEPT = ("PATH", "COVERAGE_PROCESS_CONFIG")


@pytest.fixture(autouse=True)
def unmeasured() -> None:
    """Count the lines of the programs, too."""


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


@dataclass
class Shell:
    """Runs the file as users do: isolated, from a folder of its own, with nothing in the environment but *environ*."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *argv: str, sent: str | bytes = "", **environ: str) -> Ran:
        """Run one command."""
        known = {name: os.environ[name] for name in KEPT if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-I", str(CLI), *argv],
            cwd=self.folder,
            env=known | self.environ | environ,
            input=sent if isinstance(sent, bytes) else sent.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    def good(self, *argv: str, **how: Any) -> Ran:
        """Run one command that has to succeed, silently."""
        ran = self(*argv, **how)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran


@dataclass
class Publisher:
    """Publishes what a test puts into *pages*, by repo."""

    url: str
    pages: dict[str, bytes]

    def url_of(self, repo: str) -> str:
        """Return where the index of a repo lies."""
        return f"{self.url}/{repo}"


@contextlib.contextmanager
def answering(
    handler: type[http.server.BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Run an HTTP server on a free port of loopback; yield its URL (with http, also where it speaks TLS)."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def said(handler: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer whole and well formed."""
    handler.send_response(status)
    sent = {"Content-Type": "application/json", "Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    for name, value in sent.items():
        handler.send_header(name, value)
    handler.end_headers()
    with contextlib.suppress(OSError):
        handler.wfile.write(body)


@contextlib.contextmanager
def stand_in(behave: Behave, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Run what answers every request by *behave*; yield its URL and what it was asked, with the token it was given."""
    asked: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            asked.append((f"{self.command} {self.path}", self.headers.get("Authorization")))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            behave(self)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_CONNECT = answer  # noqa: N815 - http.server's names

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with answering(Handler, tls) as url:
        yield url, asked


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    """Two repos that publish an index, and whatever the test adds."""
    pages = {"state-hub": index(), "railiance-apps": index(domain="railiance")}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path.strip("/"))
            self.send_response(200 if page else 404)
            self.send_header("Content-Length", str(len(page or b"")))
            self.end_headers()
            self.wfile.write(page or b"")

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with answering(Handler) as url:
        yield Publisher(url, pages)


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Run a hub on a free port of loopback; yield its URL."""
    app = create_app(settings)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, http="httptools", ws="none", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def hub_url(settings: Settings, real_network: None) -> Iterator[str]:  # noqa: ARG001 - asked for, to let the hub fetch
    """The URL of an empty hub."""
    with serving(replace(settings, allow_networks=("127.0.0.0/8",), public_url=None)) as url:
        yield url


@pytest.fixture
def cli(hub_url: str, tmp_path: Path) -> Shell:
    """The client of that hub, with its token."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return Shell(folder, {"REUSE_SURFACE_URL": hub_url, "REUSE_SURFACE_TOKEN": TOKEN})


@pytest.fixture
def alone(tmp_path: Path) -> Shell:
    """The client without a hub and a token."""
    folder = tmp_path / "alone"
    folder.mkdir()
    return Shell(folder)


@pytest.fixture
def federation(cli: Shell, publisher: Publisher) -> Shell:
    """The client of a hub with two registered repos that claim one id."""
    for repo, domain in (("state-hub", "helix_forge"), ("railiance-apps", "railiance")):
        cli.good("hub", "register", "--repo", repo, "--url", publisher.url_of(repo), "--domain", domain)
    return cli
