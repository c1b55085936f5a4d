"""Constant churn for minutes: memory and open files stay where they are."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import registration
from tests.chaos.sources import Sources
from tests.chaos.test_clients import MEGABYTE, memory
from tests.processes import Server, running

if TYPE_CHECKING:
    from collections.abc import Callable

REPOS = 40


def open_files(server: Server) -> int:
    """Return how many files and sockets the hub has open."""
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def turn(server: Server, sources: Sources, number: int) -> None:
    """Let some sources move on, read all, deregister one and register it again."""
    for repo in range(0, REPOS, 3):
        sources.advance(f"s{repo}")
    assert server.ask("POST", "/v1/federated/compose?force=true").status == 200
    name = f"s{number % REPOS}"
    assert server.ask("DELETE", f"/v1/repos/{name}").status == 204
    body = registration(repo=name, url=sources.url(name), cache_ttl_seconds=number % 600000)
    assert server.ask("POST", "/v1/repos", body).status == 201
    for path in ("/v1/federated", "/v1/repos?limit=100", f"/v1/repos/{name}/history", "/v1/nothing"):
        server.ask("GET", path)


@pytest.mark.timeout(1200)
def test_memory_and_open_files_stay_flat(
    tmp_path: Path, much: Callable[[int, int], int], tell: Callable[..., None]
) -> None:
    seconds, sizes, files, turns = much(4, 600), list[int](), list[int](), 0
    settings = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8", "REUSE_SURFACE_REFRESH": "on"}
    with Sources(ill=0.1).running() as sources, running(tmp_path, **settings) as server:
        for number in range(REPOS):
            body = registration(repo=f"s{number}", url=sources.url(f"s{number}"))
            assert server.ask("POST", "/v1/repos", body).status == 201
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            turn(server, sources, turns)
            turns += 1
            sizes.append(memory(server))
            files.append(open_files(server))
    # The first quarter warms up: caches fill and the allocator takes what it will keep.
    quarter = len(sizes) // 4 or 1
    early, late = statistics.median(sizes[quarter : 2 * quarter + 1]), statistics.median(sizes[-quarter:])
    assert late < early * 1.15 + 8 * MEGABYTE
    assert statistics.median(files[-quarter:]) <= statistics.median(files[quarter : 2 * quarter + 1]) + 20
    tell(seconds=seconds, turns=turns, early_megabytes=round(early / MEGABYTE, 1),
         late_megabytes=round(late / MEGABYTE, 1), files=max(files))  # fmt: skip
