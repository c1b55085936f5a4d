"""kill -9 at any moment, while repos are written, sources move on and fail, and readers read."""

from __future__ import annotations

import contextlib
import http.client
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import registration
from tests.chaos.sources import Sources, served_version
from tests.processes import Server, ask, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

REPOS = [f"repo-{number}" for number in range(6)]
EARLY = 0.1
"""Kills within this many seconds hit a hub that has hardly begun."""

TRUSTING = {"REUSE_SURFACE_ALLOW_NETWORKS": "127.0.0.0/8", "REUSE_SURFACE_LOG": "json"}


@dataclass
class Repo:
    """What one writer knows of the one repo that is its own: what was answered, and what was on its way."""

    name: str
    answered: int | None = None
    under_way: int | None = None
    revision: int = 0
    version: int = 0
    writes: int = 0


@dataclass
class World:
    """Everything that was answered, by all rounds so far."""

    sources: Sources
    repos: dict[str, Repo] = field(default_factory=lambda: {name: Repo(name) for name in REPOS})
    serial: int = 0
    reads: int = 0
    refreshes: int = 0
    wrong: list[str] = field(default_factory=list)

    def expect(self, true: object, what: str) -> None:
        """Note what is not as it should be."""
        if not true:
            self.wrong.append(what)


class Round:
    """Threads that work until the hub is gone."""

    def __init__(self, server: Server, world: World) -> None:
        self._server, self._world = server, world
        self._jobs = [*(lambda repo=repo: self._write(repo) for repo in world.repos.values()), self._read]

    def run(self, seconds: float) -> None:
        """Work for *seconds* from the first refresh that was answered on, or less if that takes long; kill the hub."""
        threads = [threading.Thread(target=self._until_gone, args=(job,)) for job in self._jobs]
        for thread in threads:
            thread.start()
        refreshes, end = self._world.refreshes, time.monotonic() + 5
        while seconds > EARLY and self._world.refreshes == refreshes and time.monotonic() < end:
            time.sleep(0.005)
        time.sleep(seconds)
        self._server.end(signal.SIGKILL)
        for thread in threads:
            thread.join()

    def _until_gone(self, job: Callable[[], Iterator[None]]) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            for _ in job():
                pass

    def _write(self, repo: Repo) -> Iterator[None]:
        with contextlib.closing(self._server.connect()) as line:
            while True:
                self._put(line, repo)
                yield
                self._refresh(line, repo)
                yield
                if repo.writes % 7 == 0:
                    self._delete(line, repo)
                    yield

    def _put(self, line: http.client.HTTPConnection, repo: Repo) -> None:
        repo.under_way = repo.writes = repo.writes + 1
        body = registration(repo=repo.name, url=self._world.sources.url(repo.name), cache_ttl_seconds=repo.writes)
        answer = ask(line, "PUT", f"/v1/repos/{repo.name}", body)
        self._world.expect(answer.status in {200, 201}, f"PUT was answered {answer}")
        repo.answered, repo.revision = repo.under_way, int((answer.etag or '"0"').strip('"').partition("-")[0])

    def _delete(self, line: http.client.HTTPConnection, repo: Repo) -> None:
        repo.under_way = None
        answer = ask(line, "DELETE", f"/v1/repos/{repo.name}")
        self._world.expect(answer.status == 204, f"DELETE was answered {answer}")
        repo.answered, repo.version, repo.revision = None, 0, repo.revision + 1

    def _refresh(self, line: http.client.HTTPConnection, repo: Repo) -> None:
        self._world.sources.advance(repo.name)
        wanted = self._world.sources.versions[repo.name]
        answer = ask(line, "POST", f"/v1/repos/{repo.name}/refresh")
        self._world.expect(answer.status == 200, f"refresh was answered {answer}")
        if answer.json()["outcome"] in {"changed", "unchanged"}:
            repo.version = wanted
        shown = served_version(ask(line, "GET", "/v1/federated").json(), repo.name)
        self._world.expect(shown >= repo.version, f"{repo.name} shows {shown} after {repo.version} was let in")
        self._world.refreshes += 1

    def _read(self) -> Iterator[None]:
        with contextlib.closing(self._server.connect()) as line:
            while True:
                check_document(self._world, ask(line, "GET", "/v1/federated").json())
                yield


def check_document(world: World, document: dict[str, Any]) -> None:
    """Check that a federated index is one that the sources can have led to, and no older than one seen before."""
    world.expect(document["serial"] >= world.serial, f"the serial went from {world.serial} to {document['serial']}")
    world.serial = max(world.serial, document["serial"])
    world.reads += 1
    for repo in world.repos:
        version = served_version(document, repo)
        world.expect(version <= world.sources.versions.get(repo, 0), f"{repo} shows {version}, which it never said")


def check_after_the_start(server: Server, world: World) -> None:
    """Check that all that was answered is there, and nothing that was not asked for."""
    rows = server.registrations()
    document = server.ask("GET", "/v1/federated").json()
    check_document(world, document)
    for repo in world.repos.values():
        row = rows.get(repo.name)
        found = row["cache_ttl_seconds"] if row else None
        world.expect(found in {repo.answered, repo.under_way}, f"{repo.name}: {found} is not {repo}")
        if row and found == repo.answered:
            world.expect(row["revision"] >= repo.revision, f"{repo.name}: revision {row['revision']} after {repo}")
            world.expect(served_version(document, repo.name) >= repo.version, f"{repo.name}: lost content, {repo}")
            newest = server.ask("GET", f"/v1/repos/{repo.name}/history").json()["history"][0]
            world.expect(newest["revision"] == row["revision"], f"{repo.name}: its history ends at {newest}")
        repo.answered, repo.revision = found, row["revision"] if row else repo.revision
        repo.version = served_version(document, repo.name)


@pytest.mark.timeout(3000)
def test_nothing_that_was_answered_is_lost_at_any_kill(
    tmp_path: Path, much: Callable[[int, int], int], tell: Callable[..., None]
) -> None:
    chance, rounds = random.Random(20261125), much(5, 300)  # noqa: S311 - the same moments in every run
    with Sources(ill=0.1).running() as sources:
        world = World(sources)
        for _ in range(rounds):
            with running(tmp_path, **TRUSTING) as server:
                check_after_the_start(server, world)
                Round(server, world).run(chance.uniform(0.02, 0.6))
            assert world.wrong == []
        with running(tmp_path, **TRUSTING) as server:
            check_after_the_start(server, world)
            assert server.end(signal.SIGTERM) == 0

    assert world.wrong == []
    writes = sum(repo.writes for repo in world.repos.values())
    assert min(writes, world.reads) > rounds
    assert world.refreshes >= rounds / 2
    tell(rounds=rounds, writes=writes, refreshes=world.refreshes, reads=world.reads, serial=world.serial, losses=0)
