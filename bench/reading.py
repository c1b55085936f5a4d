"""Reading the federated index: whole, unchanged, and while every source is refreshed."""

from __future__ import annotations

import threading
from statistics import median
from typing import TYPE_CHECKING

from bench import bare
from bench.figures import Figure, at_least, at_most
from bench.load import load, own
from bench.seeding import composed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figures import Effort
    from bench.rig import Rig, Server

PATH = "/v1/federated"
GZIP = {"Accept-Encoding": "gzip"}


def measure(rig: Rig, sizes: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Yield the figures of reading at each size."""
    for size in sizes:
        hub, _ = composed(rig, size)
        with hub.open("GET", PATH, headers=GZIP) as answer:
            etag = answer.headers["ETag"]
        for work, headers, share in (
            ("GET /v1/federated, gzip", GZIP, 0.95),
            ("GET /v1/federated, 304", {**GZIP, "If-None-Match": etag}, 0.75),
        ):
            reached, possible = _rates(rig, hub, headers, effort)
            goal = at_least(share) if size == 1000 else None  # noqa: PLR2004
            yield Figure(
                work=work, size=size, unit="requests/s", hub=reached, limit=possible, against="bare ASGI", goal=goal
            )
        yield _while_refreshing(hub, size, effort.seconds)
        hub.stop()


def _rates(rig: Rig, hub: Server, headers: dict[str, str], effort: Effort) -> tuple[float, float]:
    """Load the hub and a bare function that answers the same, in turns; take the median of each."""
    answer = rig.folder / "answer.json"
    bare.write_answer(answer, *_said(hub, headers))
    function = rig.bare(str(answer))
    rates: dict[str, list[float]] = {hub.url: [], function.url: []}
    for _ in range(effort.rounds):
        for url, seen in rates.items():
            seen.append(load(url + PATH, headers, effort.seconds).rate)
    function.stop()
    return median(rates[hub.url]), median(rates[function.url])


def _said(hub: Server, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
    import httpx  # noqa: PLC0415 - urllib hides the answer of a 304

    with httpx.Client(trust_env=False) as client, client.stream("GET", hub.url + PATH, headers=headers) as answer:
        body = b"".join(answer.iter_raw())
        kept = [(name, value) for name, value in answer.headers.items() if name not in {"date", "connection"}]
        return answer.status_code, kept, body


def _while_refreshing(hub: Server, size: int, seconds: float) -> Figure:
    """Compare the 99th percentile of reads at a steady 50 a second, idle and while composing without a pause."""
    idle = own(hub.url + PATH, GZIP, seconds, 2, 50)
    over = threading.Event()

    def refresh() -> None:
        while not over.is_set():
            hub.ask("POST", f"{PATH}/compose?force=true")

    thread = threading.Thread(target=refresh)
    thread.start()
    busy = own(hub.url + PATH, GZIP, seconds, 2, 50)
    over.set()
    thread.join()
    goal = at_most(3, or_below=10) if size == 1000 else None  # noqa: PLR2004
    return Figure(
        work="p99 of reads while all sources are refreshed",
        size=size,
        unit="ms",
        hub=busy.p99,
        limit=idle.p99,
        against="p99 when idle",
        goal=goal,
    )
