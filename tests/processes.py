"""The hub in a process of its own, for the promises that only a real process can break."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from tests.builders import TOKEN, WRITER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CLI = Path(__file__).resolve().parent.parent / "cli.py"
START_SECONDS = 60
LISTENING = re.compile(r"listening on \S+:(\d+)")


class Answer(NamedTuple):
    """What the hub answered."""

    status: int
    etag: str | None
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass
class Server:
    """A hub in a process of its own; its *port* is 0 until it says where it listens."""

    process: subprocess.Popen[bytes]
    log: IO[bytes]
    port: int = 0

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that waits no longer than a test may."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send one request on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, method, path, body)

    def registrations(self) -> dict[str, dict[str, Any]]:
        """Return every registration by its repo, from as many pages as that takes."""
        rows, cursor = dict[str, dict[str, Any]](), ""
        while True:
            page = self.ask("GET", f"/v1/repos?limit=1000{cursor}").json()
            rows |= {row["repo"]: row for row in page["repos"]}
            if page["next"] is None:
                return rows
            cursor = f"&cursor={page['next']}"

    def said(self) -> str:
        """Return what it said on stderr so far, and leave the place where it writes next, which both share, alone."""
        log = self.log.fileno()
        return os.pread(log, os.fstat(log).st_size, 0).decode()

    def end(self, how: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(how)
        return self.process.wait(20)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> Answer:
    headers = WRITER if method != "GET" else {}
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {**headers, "Content-Type": "application/json"})
    response = connection.getresponse()
    return Answer(response.status, response.getheader("etag"), response.read())


def launch(data: Path, *, within: Sequence[str] = (), options: Sequence[str] = (), **environ: str) -> Server:
    """Start a hub on *data*, by the command *within* and with *options*; nothing is said yet of whether it comes up.

    It listens on a port that the system gives it: one that was looked for before could be somebody else's by then.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("REUSE_SURFACE_", "COV"))}
    settings = {"REUSE_SURFACE_TOKEN": TOKEN, "REUSE_SURFACE_REFRESH": "off"}
    command = [*within, sys.executable, str(CLI), "serve", "--port", "0", "--data-dir", str(data), *options]
    # A file and no pipe: nobody has to read it for the hub to go on.
    log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
    return Server(subprocess.Popen(command, env=clean | settings | environ, stderr=log), log)


@contextlib.contextmanager
def running(
    data: Path, *, within: Sequence[str] = (), options: Sequence[str] = (), **environ: str
) -> Iterator[Server]:
    """Run a hub on *data* until the block ends."""
    server = launch(data, within=within, options=options, **environ)
    try:
        wait_until_up(server)
        yield server
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)
        server.log.close()


def wait_until_up(server: Server) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if place := LISTENING.search(server.said()):
            server.port = int(place[1])
            with contextlib.suppress(OSError):
                assert server.ask("GET", "/ready").status == 200
                return
        assert server.process.poll() is None, server.said()
        time.sleep(0.02)
    raise AssertionError("the hub did not come up")


def refused(data: Path, **environ: str) -> str:
    """Start a hub that must not come up, and return what it says."""
    server = launch(data, **environ)
    with server.log:
        try:
            server.process.wait(START_SECONDS)
        finally:
            server.process.kill()
        said = server.said()
    assert server.process.returncode == 1, said
    assert "Traceback" not in said
    return said
