"""How soon what happens is seen: a thousand registrations, a changed file whose check is due, an answered write."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from bench.figures import Figure, at_most, below
from bench.full import SPARE, pod_limit
from bench.seeding import composed, register, repos, seeded, settle
from bench.upstream import ENTRIES
from bench.writing import registering
from shared.storage.files.records_file import RecordsFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Effort
    from bench.rig import Rig, Server

SIZE = 1000
AT_ONCE = 16
WRITES = 10
ROUNDS = 4


def measure(rig: Rig, _sizes: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Yield the figures, all at 1,000 repos on one host."""
    publisher = rig.publisher()
    rounds = effort.slow_rounds
    yield Figure(
        work="first POST to all visible and searchable",
        size=SIZE,
        unit="s",
        hub=median(_seen(rig, publisher) for _ in range(rounds)),
        limit=median(_forced(rig, publisher) for _ in range(rounds)),
        against="registering + composing by force",
        goal=at_most(1.3),
    )
    late = median(_late(rig, publisher) for _ in range(rounds))
    yield Figure(work="file changed, from due to visible", size=SIZE, unit="s", hub=late, goal=below(0.5))
    yield from _found(rig, WRITES * rounds)
    yield _messy(rig, publisher, ROUNDS * rounds)


def _total(hub: Server) -> int:
    return int(hub.ask("GET", "/v1/capabilities?limit=1")["total"])


def _seen(rig: Rig, publisher: Server) -> float:
    """Register with the refresher on; return the seconds until the last entry is found by a search."""
    hub = rig.hub(rig.data("seen"), refresh="on")
    begun = time.perf_counter()
    registering(hub, publisher.url, SIZE, AT_ONCE)
    while _total(hub) < SIZE * ENTRIES:
        time.sleep(0.02)
    took = time.perf_counter() - begun
    hub.stop()
    return took


def _forced(rig: Rig, publisher: Server) -> float:
    """Register with the refresher off, then compose by force; return the seconds."""
    hub = rig.hub(rig.data("forced"))
    begun = time.perf_counter()
    registering(hub, publisher.url, SIZE, AT_ONCE)
    hub.ask("POST", "/v1/federated/compose?force=true")
    took = time.perf_counter() - begun
    hub.stop()
    return took


def _late(rig: Rig, publisher: Server) -> float:
    """Change a file; return the seconds from the moment at which its check is due until a search finds the change."""
    data, repo = seeded(rig, publisher, SIZE), repos(SIZE)[SIZE // 2]
    hub = rig.hub(data)
    hub.ask("POST", "/v1/federated/compose?force=true")
    hub.stop()
    due = _make_due(data / "sources.json", repo, 5)
    generation = round(due)
    publisher.open("POST", f"/{repo}/{generation}").close()
    hub = rig.hub(data, refresh="on")
    while not hub.ask("GET", f"/v1/capabilities?q={generation}&repo={repo}")["total"]:
        time.sleep(0.005)
    late = time.time() - due
    hub.stop()
    return late


def _make_due(states: Path, repo: str, seconds: int) -> float:
    """Have the hub that starts on these *states* check *repo* in so many seconds; return that moment."""
    at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    records_file = RecordsFile(states)
    saved = records_file.load()
    record = saved.records[repo]
    due = replace(record.status, next_check_at=at.strftime("%Y-%m-%dT%H:%M:%SZ"))
    records_file.save(saved._replace(records={**saved.records, repo: record._replace(status=due)}))
    return at.timestamp()


def _found(rig: Rig, writes: int) -> Iterator[Figure]:
    """Yield how many searches after an answered write miss what was written, and how long they take."""
    hub, publisher = composed(rig, SIZE)
    stop, took, misses = threading.Event(), list[float](), 0
    others = threading.Thread(target=_change_others, args=(hub, publisher, stop))
    others.start()
    for number, repo in enumerate(repos(writes)):
        generation = 700_000 + number
        publisher.open("POST", f"/{repo}/{generation}").close()
        hub.ask("POST", f"/v1/repos/{repo}/refresh")
        begun = time.perf_counter()
        misses += hub.ask("GET", f"/v1/capabilities?q={generation}&repo={repo}")["total"] != ENTRIES
        took.append((time.perf_counter() - begun) * 1000)
    stop.set()
    others.join()
    settle(hub)
    hub.stop()
    yield Figure(work="searches that miss an answered write", size=SIZE, unit=f"of {writes}", hub=misses, goal=below(0))
    yield Figure(work="search after a write, slowest", size=SIZE, unit="ms", hub=max(took))


def _change_others(hub: Server, publisher: Server, stop: threading.Event) -> None:
    """Have 100 other sources change all the time, so that the index is always being made anew."""
    others = repos(SIZE)[-100:]
    generation = 800_000
    while not stop.is_set():
        generation += 1
        for repo in others:
            publisher.open("POST", f"/{repo}/{generation}").close()
        hub.ask("POST", "/v1/federated/compose?force=true")


def _messy(rig: Rig, publisher: Server, rounds: int) -> Figure:
    """Return the most memory that hub and reader ever had, with 12,500 entries of which a fifth come to fail."""
    data = rig.data("messy")
    register(data, {f"messy-{number}": f"{publisher.url}/messy-{number}" for number in range(SIZE)})
    hub = rig.hub(data)
    most = 0.0
    for generation in range(1, rounds + 1):
        publisher.open("POST", f"/generation/{generation}").close()
        hub.ask("POST", "/v1/federated/compose?force=true")
        for path in ("/v1/federated?format=yaml", "/v1/capabilities?facets=true&limit=1000", "/v1/findings?limit=1000"):
            with hub.open("GET", path) as answer:
                answer.read()
        most = max(most, hub.memory_with_children("VmHWM"))
    hub.stop()
    limit = pod_limit()
    return Figure(
        work=f"memory, messy sources, {rounds} rounds", size=SIZE, unit="MiB", hub=most, limit=limit,
        against="the pod's limit", goal=at_most(SPARE),
    )  # fmt: skip
