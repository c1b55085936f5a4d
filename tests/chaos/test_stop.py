"""SIGTERM under load: what is under way is answered, and then it ends."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.builders import registration
from tests.chaos.sources import Sources
from tests.processes import Server, ask, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRUSTING = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8"}


def keep_writing(server: Server, name: str, answered: set[str], wrong: list[object]) -> None:
    """Register one repo after the other on one connection until the hub closes it."""
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(server.connect()) as line:
        for number in range(100_000):
            repo = f"{name}-{number}"
            answer = ask(line, "POST", "/v1/repos", registration(repo=repo, url=f"https://git.example.org/{repo}"))
            (answered.add(repo) if answer.status == 201 else wrong.append(answer))


def stopped_under_load(server: Server, sources: Sources, name: str, answered: set[str]) -> float:
    """Stop a hub that is being written to while a slow source is read; return how long that took."""
    assert server.ask("POST", "/v1/repos", registration(repo=name, url=sources.url(name))).status == 201
    refreshes: list[int] = []
    wrong: list[object] = []
    jobs: list[Callable[[], None]] = [
        *(partial(keep_writing, server, f"{name}-{writer}", answered, wrong) for writer in range(4)),
        lambda: refreshes.append(server.ask("POST", f"/v1/repos/{name}/refresh").status),
    ]
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    assert server.end(signal.SIGTERM) == 0
    took = time.monotonic() - began
    for thread in threads:
        thread.join()
    # The source is slower than the wish to stop: its refresh was waited for, and answered.
    assert (wrong, refreshes) == ([], [200])
    assert "Traceback" not in server.said()
    return took


@pytest.mark.timeout(600)
def test_what_is_under_way_is_answered_before_it_ends(
    tmp_path: Path, much: Callable[[int, int], int], tell: Callable[..., None]
) -> None:
    rounds, longest, answered = much(1, 20), 0.0, set[str]()
    for number in range(rounds):
        with Sources(wait=1.5).running() as sources, running(tmp_path / "data", **TRUSTING) as server:
            longest = max(longest, stopped_under_load(server, sources, f"slow-{number}", answered))
    with running(tmp_path / "data") as server:
        found = server.registrations().keys()

    assert longest < 10
    assert answered <= found
    assert len(answered) > 10 * rounds
    tell(rounds=rounds, writes=len(answered), longest_seconds=round(longest, 2), losses=len(answered - found))
