"""The processes of a measurement: hubs, publishers and limits, each on a free port, all ended with the rig."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "measurements-on-loopback"  # noqa: S105 - of hubs that live for one measurement
DOMAIN = "bench"
ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""How the C library gives memory back: as the image sets it (Dockerfile)."""


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _memory(pid: int, line: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def memory_with_children(pid: int, line: str = "VmRSS") -> float:
    """Return the memory in MiB of the process *pid* and of those that it has started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return sum(_memory(int(one), line) for one in [str(pid), *listed.split()])


@dataclass(frozen=True)
class Server:
    """A server that answers at *url*."""

    url: str
    process: subprocess.Popen[bytes]
    seconds_to_ready: float = 0.0

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Send one request with the token, and return the JSON of the answer."""
        with self.open(method, path, body, headers) as answer:
            return json.load(answer)

    def open(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - urllib's answer
        """Send one request with the token, and return the answer."""
        sent = {"Authorization": f"Bearer {TOKEN}", **(headers or {})}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, sent, method=method)
        return urllib.request.urlopen(request, timeout=600)

    def memory(self, line: str = "VmRSS") -> float:
        """Return the resident memory in MiB, or with ``VmHWM`` the most that it ever was."""
        return _memory(self.process.pid, line)

    def memory_with_children(self, line: str = "VmRSS") -> float:
        """Return the same, added up with the processes that it has started and that still run."""
        return memory_with_children(self.process.pid, line)

    def stop(self) -> None:
        """End it as an operator does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


@dataclass
class Rig:
    """Starts what a measurement needs; ``with Rig() as rig`` ends and removes all of it."""

    servers: list[Server] = field(default_factory=list)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="hub-bench-")))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self.servers:
            server.process.kill()
            server.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def hub(self, data: Path, program: Sequence[str] = ("cli.py", "serve"), **settings: str) -> Server:
        """Start a hub on *data* that fetches from loopback and only when asked, unless *settings* say otherwise."""
        environ = {
            "REUSE_SURFACE_TOKEN": TOKEN,
            "REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8",
            "REUSE_SURFACE_REFRESH": "off",
            **ALLOCATOR,
            **{f"REUSE_SURFACE_{name.upper()}": value for name, value in settings.items()},
        }
        port = free_port()
        command = [*program, "--port", str(port), "--data-dir", str(data)]
        return self._started(command, f"http://127.0.0.1:{port}", "/ready", environ)

    def publisher(self, *arguments: str) -> Server:
        """Start a publisher of generated indexes."""
        port = free_port()
        return self._started(
            ["bench/upstream.py", str(port), *arguments], f"http://127.0.0.1:{port}", "/one/1", {}
        )

    def hostile(self) -> int:
        """Start a publisher that misbehaves as its paths say, on every address of 127.0.0.0/8; return its port."""
        port = free_port()
        self._started(["bench/hostile.py", str(port)], f"http://127.0.0.1:{port}", "/ready", {})
        return port

    def bare(self, *arguments: str) -> Server:
        """Start a bare ASGI function on the hub's own server."""
        port = free_port()
        return self._started(["bench/bare.py", str(port), *arguments], f"http://127.0.0.1:{port}", "/", {})

    def _started(self, command: Sequence[str], url: str, path: str, environ: Mapping[str, str]) -> Server:
        begun = time.perf_counter()
        log = (self.folder / "log").open("ab")
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=log, stderr=log)
        server = Server(url, process)
        self.servers.append(server)
        while not self._answers(url + path):
            if process.poll() is not None or time.perf_counter() - begun > 120:  # noqa: PLR2004 - s, ample
                raise SystemExit(f"{command} did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.002)
        ready = Server(url, process, time.perf_counter() - begun)
        self.servers[-1] = ready
        return ready

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return True
        except urllib.error.HTTPError as fault:
            return fault.code == 304  # noqa: PLR2004 - what a bare function may be told to answer
        except OSError:
            return False

    def data(self, name: str) -> Path:
        """Return a new folder for a hub's data."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
