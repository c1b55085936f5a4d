"""The most that the default settings allow: how much memory a hub takes whose capabilities and MiB are used up."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.error import HTTPError

from bench.figures import Figure, at_most
from bench.rig import ROOT
from bench.seeding import register, settle
from bench.upstream import FULL_ENTRIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figures import Effort
    from bench.rig import Rig, Server

SOURCES = 13
"""So many sources of FULL_ENTRIES entries fit into REUSE_SURFACE_MAX_CAPABILITIES and _MAX_MIB, and no further one."""
ROUNDS = 3
SPARE = 0.75
"""The share of the pod's memory that may be used: a quarter of it is to spare."""
_READS = [
    *(("/v1/federated?format=json", coding) for coding in ("identity", "gzip", "zstd")),
    *(("/v1/federated?format=yaml", coding) for coding in ("identity", "gzip", "zstd")),
    ("/v1/capabilities?q=offers&facets=true&limit=1000", "identity"),
    ("/v1/capabilities?limit=1000", "gzip"),
    ("/v1/findings?limit=1000", "identity"),
    ("/.well-known/ai-catalog.json", "identity"),
    ("/ard/agents", "identity"),
    ("/llms.txt", "identity"),
    ("/", "gzip"),
    ("/capabilities?q=offers", "identity"),
    ("/findings", "identity"),
    ("/sources/full-07", "identity"),
    ("/v1/backup", "identity"),
    ("/metrics", "identity"),
]


def measure(rig: Rig, _sizes: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Yield the memory of hub and readers of a full hub: after the first composition, at its highest, after a start."""
    publisher, data = rig.publisher(), rig.data("full")
    register(data, {f"full-{number:02}": f"{publisher.url}/full-{number:02}" for number in range(SOURCES)})
    hub = rig.hub(data)
    yield _row("memory, full hub, composed", _composed(hub))
    most = max(_round(hub, publisher, generation) for generation in range(2, 2 + ROUNDS * effort.slow_rounds))
    yield _row("memory, full hub, everything read while it changes", most)
    hub.stop()
    hub = rig.hub(data)
    settle(hub)
    _read_all(hub)
    yield _row("memory, full hub, started again", hub.memory_with_children("VmHWM"))
    hub.stop()


def _row(work: str, most: float) -> Figure:
    return Figure(
        work=work, size=SOURCES * FULL_ENTRIES, unit="MiB", hub=most, limit=pod_limit(), against="the pod's limit",
        goal=at_most(SPARE),
    )  # fmt: skip


def _composed(hub: Server) -> float:
    hub.ask("POST", "/v1/federated/compose?force=true")
    states = {source["state"] for source in hub.ask("GET", "/v1/federated")["sources"]}
    if states != {"fresh"}:
        raise SystemExit(f"The hub was to be full, and is not: {states}")
    return hub.memory_with_children("VmHWM")


def _round(hub: Server, publisher: Server, generation: int) -> float:
    """Change a tenth of every source, read all there is to read, validate; return the most memory there ever was."""
    publisher.open("POST", f"/generation/{generation}").close()
    hub.ask("POST", "/v1/federated/compose?force=true")
    _read_all(hub)
    most = hub.memory_with_children("VmHWM")
    settle(hub)
    return max(most, hub.memory_with_children("VmHWM"))


def _read_all(hub: Server) -> None:
    for path, coding in _READS:
        while not _read(hub, path, coding):
            time.sleep(0.1)
    before = hub.ask("GET", "/v1/federated")["serial"] - 1
    hub.ask("GET", f"/v1/federated/changes?since={before}&limit=1000")


def _read(hub: Server, path: str, coding: str) -> bool:
    """Read an answer to its end; return False where it was refused because the search index is still being made."""
    try:
        with hub.open("GET", path, headers={"Accept-Encoding": coding}) as answer:
            while answer.read(1 << 20):
                pass
    except HTTPError as refusal:
        if refusal.code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return False
    return True


def pod_limit() -> float:
    """Return how many MiB the pod may have."""
    text = (ROOT / "k8s/base/deployment.yaml").read_text(encoding="utf-8")
    return float(text.split("limits:")[1].split("memory: ")[1].split("Mi")[0])
