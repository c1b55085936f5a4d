"""Registering: durable writes, 32 at once, against the same application over a store in memory."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from bench.figures import Figure, at_least
from bench.rig import DOMAIN, ROOT, TOKEN
from bench.seeding import copy, register, repos

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.figures import Effort
    from bench.rig import Rig

AT_ONCE = 32
WRITES = 640
MANY = 3
"""A round is short, a third of a second, so that there are more of them."""
GOALS = {1_000: 0.6, 10_000: 0.3}


def measure(rig: Rig, sizes: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Yield the rate of registering at each size."""
    for size in sizes:
        data = rig.data("seed")
        register(data, {repo: f"https://example.org/{repo}" for repo in repos(size)})
        durable, in_memory = [], []
        for _ in range(MANY * effort.rounds):
            durable.append(_rate(rig, data, ("cli.py", "serve")))
            in_memory.append(_rate(rig, data, ("bench/memory_hub.py",)))
        goal = at_least(GOALS[size]) if size in GOALS else None
        yield Figure(
            work=f"POST /v1/repos, durable, {AT_ONCE} at once",
            size=size,
            unit="requests/s",
            hub=median(durable),
            limit=median(in_memory),
            against="store in memory",
            goal=goal,
        )


def _rate(rig: Rig, data: Path, program: tuple[str, ...]) -> float:
    hub = rig.hub(copy(rig, data), program)
    said = subprocess.run([sys.executable, "-m", "bench.writing", hub.url], check=True, capture_output=True, cwd=ROOT)
    hub.stop()
    return float(said.stdout)


async def _register_all(url: str) -> float:
    """Register over raw connections, so that the client costs little; return the requests per second."""
    host, port = url.removeprefix("http://").split(":")
    numbers = iter(range(WRITES))
    begun = time.perf_counter()

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in numbers:
            writer.write(_request(number))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 201"):
                raise SystemExit(head.decode())
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    return WRITES / (time.perf_counter() - begun)


def _request(number: int) -> bytes:
    body = json.dumps({"repo": f"new-{number}", "url": f"https://example.net/{number}", "domain": DOMAIN}).encode()
    head = (
        f"POST /v1/repos HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    print(asyncio.run(_register_all(sys.argv[1])))
