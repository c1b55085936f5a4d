"""Registering: durable writes, 32 at once, against the same application over an engine in memory."""

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
    from bench.rig import Rig, Server

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
            against="engine in memory",
            goal=goal,
        )


def _rate(rig: Rig, data: Path, program: tuple[str, ...]) -> float:
    hub = rig.hub(copy(rig, data), program)
    rate = WRITES / registering(hub, "https://example.net", WRITES, AT_ONCE)
    hub.stop()
    return rate


def registering(hub: Server, source: str, count: int, at_once: int) -> float:
    """Register so many repos whose indexes lie below the URL *source*, from another process; return the seconds."""
    command = [sys.executable, "-m", "bench.writing", hub.url, source, str(count), str(at_once)]
    said = subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return float(said.stdout)


async def _register_all(url: str, source: str, count: int, at_once: int) -> float:
    """Register over raw connections, so that the client costs little; return the seconds."""
    host, port = url.removeprefix("http://").split(":")
    numbers = iter(range(count))
    begun = time.perf_counter()

    async def worker() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for number in numbers:
            writer.write(_request(source, number))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 201"):
                raise SystemExit(head.decode())
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.close()

    await asyncio.gather(*(worker() for _ in range(at_once)))
    return time.perf_counter() - begun


def _request(source: str, number: int) -> bytes:
    body = json.dumps({"repo": f"new-{number}", "url": f"{source}/new-{number}", "domain": DOMAIN}).encode()
    head = (
        f"POST /v1/repos HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    print(asyncio.run(_register_all(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
