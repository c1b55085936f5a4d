"""The client: the time of ``cli.py hub list`` against that of the imports that nobody can avoid.

The hub is a stand-in that answers at once, so that the client is what is measured.
"""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.figures import Figure, at_most

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figures import Effort
    from bench.rig import Rig

CLI = Path(__file__).resolve().parent.parent / "cli.py"
SYSTEM = "/usr/bin/python3"
ROUNDS = 40
GOAL = 1.5
ANSWER = b'{"repos": [], "total": 0, "next": null}'


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers every request with an empty list."""

    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def once(command: list[str], environ: dict[str, str]) -> float:
    """Return the seconds that a command takes."""
    started = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def ratio(python: str, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the median seconds of the client and of the imports, measured in turns."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        environ = {"PATH": os.environ["PATH"], "REUSE_SURFACE_URL": f"http://127.0.0.1:{server.server_port}"}
        client = [python, "-I", str(CLI), "hub", "list"]
        imports = [python, "-I", "-c", "import argparse, json, http.client"]
        pairs = [(once(client, environ), once(imports, environ)) for _ in range(rounds)]
        server.shutdown()
    clients, others = zip(*pairs, strict=True)
    return median(clients), median(others)


def measure(_rig: Rig, _sizes: tuple[int, ...], _effort: Effort) -> Iterator[Figure]:
    """Yield the figure."""
    python = SYSTEM if Path(SYSTEM).exists() else sys.executable
    client, imports = ratio(python)
    yield Figure(
        work="cli.py hub list",
        size=0,
        unit="ms",
        hub=client * 1000,
        limit=imports * 1000,
        against="import argparse, json, http.client",
        goal=at_most(GOAL),
    )
