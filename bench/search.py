"""Measures the search: a real hub, real sources on loopback, one reader who waits for each answer.

Starts a hub for each size, has it read the sources, and asks 1,000 questions: 60 % a rare word, 30 % two words, 10 % a
word that every entry holds. No question comes twice, so that no kept answer counts.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.figures import Figure, below

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figures import Effort
    from bench.rig import Rig

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "a-token-for-measurements-only"  # noqa: S105 - of a hub that lives for a minute
QUESTIONS = 1000
EVERYWHERE = ("capability", "hub", "reuse", "service")
KINDS = ["rare"] * 6 + ["two"] * 3 + ["every"]
GOALS = {10_000: (2.0, 15.0), 100_000: (10.0, 150.0)}


class Vocabulary:
    """Words as they are frequent in a language: the nth about 1/n as often as the first."""

    def __init__(self, size: int = 30_000) -> None:
        self._random = random.Random(7)  # noqa: S311 - the same for every run
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.words = ["".join(self._random.choices(letters, k=self._random.randint(4, 9))) for _ in range(size)]
        self._weights = list(itertools.accumulate(1 / (place + 10) for place in range(size)))

    def some(self, count: int) -> list[str]:
        """Return words, frequent ones more often."""
        return self._random.choices(self.words, cum_weights=self._weights, k=count)

    def entry(self, number: int) -> dict[str, Any]:
        """Return a capability; every one holds the words of EVERYWHERE."""
        first, second = self.some(2)
        return {
            "id": f"capability.{first}.{second}-{number}",
            "name": " ".join(self.some(3)).capitalize(),
            "summary": f"{' '.join(self.some(14)).capitalize()}, a service of the hub for reuse.",
            "vector": f"D{number % 6} / A{number % 5} / C{number % 4} / R{number % 4}",
            "status": ("active", "draft", "deprecated")[number % 3],
            "owner": f"team-{number % 40}",
            "tags": self.some(3),
            "path": f"registry/capabilities/{number}.md",
            "consumption_modes": [("http-api", "cli", "library")[number % 3]],
        }

    def questions(self, count: int) -> list[str]:
        """Return that many different questions, in the mixture that the goals speak of."""
        rare = iter(self._random.sample(self.words[3000:], len(self.words) - 3000))
        asked = []
        for number in range(count):
            kind = KINDS[number % 10]
            if kind == "rare":
                asked.append(f"q={next(rare)}")
            elif kind == "two":
                asked.append(f"q={self.some(1)[0]}+{next(rare) if number % 2 else self.some(1)[0]}")
            else:
                # The page differs, not the work: a limit of its own keeps the answer from having been kept.
                asked.append(f"q={EVERYWHERE[number // 10 % len(EVERYWHERE)]}&limit={20 + number // 10}")
        return asked


def published(vocabulary: Vocabulary, capabilities: int, each: int) -> dict[str, bytes]:
    """Return indexes of *each* entries by name, *capabilities* in all."""
    numbers = range(capabilities)
    return {
        f"repo-{start // each}": json.dumps(
            {"version": 1, "domain": f"domain-{start // each % 20}",
             "capabilities": [vocabulary.entry(number) for number in numbers[start : start + each]]}
        ).encode()
        for start in numbers[::each]
    }  # fmt: skip


def publisher(indexes: dict[str, bytes]) -> ThreadingHTTPServer:
    """Serve *indexes* from a thread."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer one index."""
            body = indexes[self.path[1:]]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Hub:
    """A hub of its own, in a process of its own."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        environ = os.environ | {
            "REUSE_SURFACE_TOKEN": TOKEN, "REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8", "REUSE_SURFACE_REFRESH": "off",
        }  # fmt: skip
        command = [sys.executable, str(ROOT / "cli.py"), "serve", "--port", str(self.port), "--data-dir", folder]
        self.process = subprocess.Popen(command, env=environ, cwd=ROOT, stderr=subprocess.DEVNULL)
        self._await_ready()
        self.session = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def _await_ready(self) -> None:
        for _ in range(200):
            time.sleep(0.05)
            try:
                self.session = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                self.get("/ready")
            except OSError:
                continue
            return
        raise SystemExit("the hub did not start")

    def get(self, target: str) -> tuple[http.client.HTTPResponse, bytes]:
        """Return the answer and its body."""
        self.session.request("GET", target)
        answer = self.session.getresponse()
        return answer, answer.read()

    def post(self, target: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return what a write answers."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self.session.request("POST", target, json.dumps(body) if body else None, headers)
        return json.loads(self.session.getresponse().read())

    def resident(self, line: str = "VmRSS") -> float:
        """Return the memory of the process in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(status.split(f"{line}:")[1].split()[0]) / 1024


def asked_of(capabilities: int, each: int) -> dict[str, float]:
    """Return the figures for a hub with so many capabilities."""
    vocabulary = Vocabulary()
    sources = publisher(published(vocabulary, capabilities, each))
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(folder)
        try:
            for name in published_names(capabilities, each):
                url = f"http://127.0.0.1:{sources.server_port}/{name}"
                hub.post("/v1/repos", {"repo": name, "url": url, "domain": "bench"})
            hub.post("/v1/federated/compose?force=true")
            built = _until_searchable(hub, capabilities)
            return {"capabilities": capabilities, "built_s": built, **_asked(hub, vocabulary)}
        finally:
            hub.process.terminate()
            hub.process.wait()
            sources.shutdown()


def published_names(capabilities: int, each: int) -> list[str]:
    """Return the names under which published has indexes."""
    return [f"repo-{number}" for number in range(-(-capabilities // each))]


def _until_searchable(hub: Hub, capabilities: int) -> float:
    started = time.perf_counter()
    while json.loads(hub.get("/v1/capabilities?limit=1")[1]).get("total") != capabilities:
        time.sleep(0.05)
    return time.perf_counter() - started


def _asked(hub: Hub, vocabulary: Vocabulary) -> dict[str, float]:
    took = []
    kinds: dict[str, list[float]] = {"rare": [], "two": [], "every": []}
    for number, question in enumerate(vocabulary.questions(QUESTIONS)):
        started = time.perf_counter()
        answer, _ = hub.get(f"/v1/capabilities?{question}")
        took.append((time.perf_counter() - started) * 1000)
        kinds[KINDS[number % 10]].append(took[-1])
        if answer.status != http.client.OK:
            raise SystemExit(f"{question}: {answer.status}")
    figures = {f"{name}_p50_ms": _share(times, 50) for name, times in kinds.items()}
    ends = {"p50_ms": _share(took, 50), "p95_ms": _share(took, 95), "p99_ms": _share(took, 99), "max_ms": max(took)}
    return {**ends, **figures, "rss_mb": hub.resident(), "peak_mb": hub.resident("VmHWM")}


def _share(times: list[float], percent: int) -> float:
    return sorted(times)[len(times) * percent // 100]


def measure(_rig: Rig, sizes: tuple[int, ...], _effort: Effort) -> Iterator[Figure]:
    """Yield the times of whole answers: of ten capabilities to a repo, from 10,000 on."""
    for capabilities in (10 * size for size in sizes if size >= 1000):  # noqa: PLR2004
        found = asked_of(capabilities, max(10, capabilities // 100))
        p50, p95 = GOALS[capabilities]
        for name, goal in (("p50", p50), ("p95", p95)):
            yield Figure(
                work=f"GET /v1/capabilities?q=, {name}",
                size=capabilities,
                unit="ms",
                hub=found[f"{name}_ms"],
                goal=below(goal),
            )
