"""Refreshing and composing: nothing changed, everything changed, one source changed."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench import loop
from bench.figures import Figure, at_most
from bench.seeding import composed, repos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figures import Effort
    from bench.rig import Rig, Server


class Work(NamedTuple):
    """What is done, the least work for it, and how many times that it may take at 1,000 repos."""

    name: str
    against: str
    goal: float


UNCHANGED = Work("compose?force=true, nothing changed", "httpx loop", 1.3)
ALL_CHANGED = Work("compose?force=true, every source changed", "httpx loop + CSafeLoader + check + fsync", 1.5)
ONE_CHANGED = Work("one source changed, until it is served", "fetch + parse + encode + compress", 2)


def measure(rig: Rig, sizes: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Yield the figures of composing at each size."""
    for size in sizes:
        hub, publisher = composed(rig, size)
        urls = [f"{publisher.url}/{repo}" for repo in repos(size)]
        yield _unchanged(hub, urls, effort.rounds)
        yield _all_changed(hub, publisher, urls, effort.rounds)
        yield _one_changed(hub, publisher, urls, effort.rounds)
        hub.stop()


def _forced(hub: Server) -> float:
    begun = time.perf_counter()
    hub.ask("POST", "/v1/federated/compose?force=true")
    return time.perf_counter() - begun


def _figure(work: Work, size: int, took: list[float], limits: list[float]) -> Figure:
    goal = at_most(work.goal) if size == 1000 else None  # noqa: PLR2004
    hub, limit = median(took), median(limits)
    return Figure(work=work.name, size=size, unit="s", hub=hub, limit=limit, against=work.against, goal=goal)


def _unchanged(hub: Server, urls: list[str], rounds: int) -> Figure:
    took, limits = [], []
    for _ in range(rounds):
        took.append(_forced(hub))
        limits.append(loop.seconds("unchanged", urls))
    return _figure(UNCHANGED, len(urls), took, limits)


def _all_changed(hub: Server, publisher: Server, urls: list[str], rounds: int) -> Figure:
    took, limits = [], []
    for generation in range(2, 2 + rounds):
        publisher.open("POST", f"/generation/{generation}").close()
        took.append(_forced(hub))
        limits.append(loop.seconds("changed", urls))
    return _figure(ALL_CHANGED, len(urls), took, limits)


def _one_changed(hub: Server, publisher: Server, urls: list[str], rounds: int) -> Figure:
    """Change one source, and wait until the document that is served shows it."""
    one = urls[len(urls) // 2]
    repo = one.rsplit("/", 1)[1]
    took, limits = [], []
    for generation in range(100, 100 + 2 * rounds):
        publisher.open("POST", f"/{repo}/{generation}").close()
        begun = time.perf_counter()
        hub.ask("POST", f"/v1/repos/{repo}/refresh")
        took.append(time.perf_counter() - begun)
        with hub.open("GET", "/v1/federated") as answer:
            limits.append(loop.seconds("one", [one], answer.read()))
    return _figure(ONE_CHANGED, len(urls), took, limits)
