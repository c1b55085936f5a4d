"""Starting and resting: the time to readiness, and memory."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from bench.figures import Figure, at_most
from bench.seeding import copy, seeded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Effort
    from bench.rig import Rig


def measure(rig: Rig, sizes: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Yield the figures of starting and of memory."""
    rounds = 2 * effort.rounds - 1
    app = rig.bare("--imports")
    floor = app.memory()
    app.stop()
    idle = rig.hub(rig.data("idle"))
    yield _memory("memory, idle", 0, idle.memory(), floor, 1.2)
    idle.stop()
    empty = median(_start(rig, rig.data("empty")) for _ in range(rounds))
    for size in sizes:
        yield from _with_sources(rig, size, floor, empty, rounds)


def _with_sources(rig: Rig, size: int, floor: float, empty: float, rounds: int) -> Iterator[Figure]:
    publisher = rig.publisher()
    data = seeded(rig, publisher, size)
    hub = rig.hub(data)
    hub.ask("POST", "/v1/federated/compose?force=true")
    for form in ("json", "yaml"):
        hub.open("GET", f"/v1/federated?format={form}").close()
    yield _memory("memory, every source composed", size, hub.memory(), floor, 3)
    hub.stop()
    publisher.stop()
    full = median(_start(rig, copy(rig, data)) for _ in range(rounds))
    goal = at_most(2) if size == 1000 else None  # noqa: PLR2004
    yield Figure(
        work="start to /ready", size=size, unit="s", hub=full, limit=empty, against="start with no sources", goal=goal
    )


def _memory(work: str, size: int, hub: float, floor: float, times: float) -> Figure:
    goal = at_most(times) if size in {0, 1000} else None
    return Figure(work=work, size=size, unit="MiB", hub=hub, limit=floor, against="Starlette + same imports", goal=goal)


def _start(rig: Rig, data: Path) -> float:
    hub = rig.hub(data)
    hub.stop()
    return hub.seconds_to_ready
