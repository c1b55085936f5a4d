"""Clients that want to keep others out: connections by the thousand, slow ones, greedy ones."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.builders import index, registration
from tests.chaos.sources import Sources
from tests.processes import Server, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEGABYTE = 1024 * 1024
PROBE = Path(__file__).with_name("probe.py")


def memory(server: Server) -> int:
    """Return how many bytes of memory the hub has."""
    return int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * resource.getpagesize()


class Health(NamedTuple):
    """How long answers about the health of the hub took, in milliseconds."""

    median_ms: float
    p95_ms: float
    worst_ms: float


def health(server: Server, seconds: float) -> Health:
    """Ask for the health of the hub for *seconds*."""
    said = subprocess.run([sys.executable, PROBE, str(server.port), str(seconds)], capture_output=True, check=True)
    took: list[float] = sorted(json.loads(said.stdout))
    return Health(*(round(one, 1) for one in (took[len(took) // 2], took[len(took) * 95 // 100], took[-1])))


@contextlib.contextmanager
def connections(server: Server, count: int, first: bytes = b"") -> Iterator[list[socket.socket]]:
    """Hold *count* connections on which only *first* was said."""
    made: list[socket.socket] = []
    try:
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            made.append(one)
            with contextlib.suppress(OSError):
                one.sendall(first)
        yield made
    finally:
        for one in made:
            one.close()


@pytest.mark.timeout(600)
def test_connections_by_the_thousand_keep_nobody_out(
    tmp_path: Path, much: Callable[[int, int], int], tell: Callable[..., None]
) -> None:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    count = min(much(1000, 10_000), files - 500)
    settings = {"REUSE_SURFACE_RECEIVE_SECONDS": "60", "REUSE_SURFACE_TRUSTED_PROXIES": "127.0.0.0/8"}
    with running(tmp_path, **settings) as server:
        before = memory(server)
        with connections(server, count):
            found = health(server, much(1, 10))
            assert server.ask("POST", "/v1/repos", registration()).status == 201
            assert server.ask("GET", "/v1/federated").status == 200
            each = (memory(server) - before) / count
    tell(connections=count, bytes_each=round(each), **found._asdict())
    assert found.median_ms < 100
    assert each < 40_000


def handles(server: Server) -> int:
    """Return how many files and sockets the hub has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("first", [b"", b"G"], ids=["silent", "a byte"])
def test_a_burst_of_connections_leaves_the_hub_the_handles_that_it_needs(tmp_path: Path, first: bytes) -> None:
    few = ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh"]
    settings = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8", "REUSE_SURFACE_RECEIVE_SECONDS": "60"}
    with Sources().running() as sources, running(tmp_path, within=few, **settings) as server:
        own = handles(server)
        with connections(server, 1300, first):
            body = registration(url=sources.url("state-hub"))
            assert server.ask("POST", "/v1/repos", body).status == 201
            assert server.ask("POST", "/v1/repos/state-hub/refresh").json()["outcome"] in {"changed", "unchanged"}
            assert server.ask("GET", "/cli.py").status == 200
            taken = handles(server) - own
    assert taken <= 512


@pytest.mark.timeout(600)
def test_health_answers_under_hostile_sources_and_clients_at_once(
    tmp_path: Path, much: Callable[[int, int], int], tell: Callable[..., None]
) -> None:
    seconds = much(3, 60)
    settings = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8", "REUSE_SURFACE_RECEIVE_SECONDS": "2"}
    with Sources(ill=0.5).running() as sources, running(tmp_path, **settings) as server:
        for number in range(20):
            body = registration(repo=f"s{number}", url=sources.url(f"s{number}"))
            assert server.ask("POST", "/v1/repos", body).status == 201
        stop = threading.Event()
        attacks = [
            lambda: hold(server, b"GET /v1/federated HTTP/1.1\r\nHost: hub\r\nX: ", stop),
            lambda: hold(server, b"POST /v1/repos HTTP/1.1\r\nHost: hub\r\nContent-Length: 60000\r\n\r\n", stop),
            lambda: hold(server, b"GET /v1/federated HTTP/1.1\r\nHost: hub\r\n\r\n" * 50, stop),
            lambda: hold(server, b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n" * 8000, stop),
            lambda: hold(server, b"X" * 100_000, stop),
            lambda: guess(server, stop),
            lambda: churn(server, sources, stop),
        ]
        threads = [threading.Thread(target=attack) for attack in attacks]
        for thread in threads:
            thread.start()
        time.sleep(1)
        before, found = memory(server), health(server, seconds)
        grown = memory(server) - before
        stop.set()
        for thread in threads:
            thread.join()
        assert server.ask("GET", "/v1/federated").json()["version"] == 1
        assert "Traceback" not in server.said()
    tell(seconds=seconds, grown_megabytes=round(grown / MEGABYTE), **found._asdict())
    assert grown < 100 * MEGABYTE
    # The checks run beside each other on a small machine, so that the slowest answers tell more of it than of the hub.
    assert found.median_ms < much(500, 100)


def hold(server: Server, said: bytes, stop: threading.Event) -> None:
    """Hold connections that say this and then neither say nor read anything."""
    while not stop.is_set():
        with contextlib.suppress(OSError), connections(server, 40, said):
            stop.wait(1)


def guess(server: Server, stop: threading.Event) -> None:
    """Try one token after the other."""
    line = server.connect()
    number = 0
    while not stop.wait(0.002):
        number += 1
        line.request("DELETE", "/v1/repos/s1", headers={"Authorization": f"Bearer guess-{number}"})
        answer = line.getresponse()
        answer.read()
        assert answer.status in {401, 429}
    line.close()


def churn(server: Server, sources: Sources, stop: threading.Event) -> None:
    """Let every source move on and be read, all the time; half of the reads go wrong."""
    while not stop.wait(0.05):
        for number in range(20):
            sources.advance(f"s{number}")
        assert server.ask("POST", "/v1/federated/compose?force=true").status == 200


def test_a_document_of_many_entries_is_read_by_readers_that_stop(tmp_path: Path, tell: Callable[..., None]) -> None:
    """Readers that take nothing pin at most what is allowed in all, and the hub answers everyone else."""
    settings = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8", "REUSE_SURFACE_SEND_SECONDS": "60",
                "REUSE_SURFACE_MAX_UNREAD_BYTES": str(32 * MEGABYTE)}  # fmt: skip
    many = index(*({"id": f"c{number}", "name": "n" * 150, "summary": "s" * 900} for number in range(4000)))
    with Sources().running() as sources, running(tmp_path, **settings) as server:
        sources.content = lambda _: many  # type: ignore[method-assign, assignment]  # one large index, whatever the repo
        body = registration(url=sources.url("state-hub"))
        server.ask("POST", "/v1/repos", body)
        assert server.ask("POST", "/v1/repos/state-hub/refresh").json()["outcome"] == "changed"
        before, asked = memory(server), b"GET /v1/federated HTTP/1.1\r\nHost: hub\r\n\r\n"
        with connections(server, 60, asked):
            found = health(server, 2)
            grown = memory(server) - before
    assert grown < 120 * MEGABYTE
    tell(readers=60, document_megabytes=round(len(many) / MEGABYTE, 1), grown_megabytes=round(grown / MEGABYTE),
         **found._asdict())  # fmt: skip
