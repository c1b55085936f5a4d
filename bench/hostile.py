"""A thousand sources of which four in ten misbehave: how soon the good ones are served.

As a program (``hostile.py PORT``) it is a publisher that misbehaves in the way that the path names.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench.figures import Figure, at_most
from bench.seeding import register, repos

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.figures import Effort
    from bench.rig import Rig

class Seen(NamedTuple):
    """The seconds until all that is good is served, the slowest read meanwhile, and the memory in the end in MiB."""

    seconds: float
    slowest: float
    memory: float


KINDS = ("hang", "error", "garbage", "circle")
SHARE = 10


def measure(rig: Rig, sizes: tuple[int, ...], effort: Effort) -> Iterator[Figure]:
    """Yield how long the good sources take beside the bad ones, against how long they take alone."""
    for size in sizes:
        if size <= 1000:  # noqa: PLR2004 - 127.0.0.0/8 would do for more, open files would not
            yield from _measure(rig, size, effort.slow_rounds)


def _measure(rig: Rig, size: int, rounds: int) -> Iterator[Figure]:
    publisher = rig.publisher()
    names = repos(size)
    bad = {kind: names[place :: SHARE] for place, kind in enumerate(KINDS)}
    good = [name for name in names if not any(name in some for some in bad.values())]
    port = rig.hostile()
    urls = {name: f"{publisher.url}/{name}" for name in good}
    alone = median(_served(rig, urls, len(good)).seconds for _ in range(rounds))
    for number, (kind, some) in enumerate(bad.items()):
        urls |= {name: f"http://127.0.{number + 1}.{place + 1}:{port}/{kind}" for place, name in enumerate(some)}
    together = [_served(rig, urls, len(good)) for _ in range(rounds)]
    goal = at_most(1.3) if size == 1000 else None  # noqa: PLR2004
    yield Figure(
        work="good sources served while 40 % misbehave",
        size=size,
        unit="s",
        hub=median(one.seconds for one in together),
        limit=alone,
        against="the good sources alone",
        goal=goal,
    )
    yield Figure(work="slowest read meanwhile", size=size, unit="ms", hub=max(one.slowest for one in together) * 1000)
    yield Figure(work="memory meanwhile", size=size, unit="MiB", hub=max(one.memory for one in together))


def _served(rig: Rig, urls: dict[str, str], wanted: int) -> Seen:
    """Have the hub read *urls*, of which *wanted* are good."""
    data = rig.data("hostile")
    register(data, urls)
    hub = rig.hub(data)
    begun = time.perf_counter()
    thread = threading.Thread(target=hub.ask, args=("POST", "/v1/federated/compose?force=true"))
    thread.start()
    seconds, slowest, served = 0.0, 0.0, 0
    while thread.is_alive() or served < wanted:
        asked = time.perf_counter()
        sources = hub.ask("GET", "/v1/federated")["sources"]
        now = time.perf_counter()
        slowest = max(slowest, now - asked)
        served = sum(source["state"] == "fresh" for source in sources)
        seconds = seconds or (now - begun if served >= wanted else 0.0)
        time.sleep(0.02)
    thread.join()
    memory = hub.memory()
    hub.stop()
    return Seen(seconds, slowest, memory)


async def _misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        kind = head.split(b" ")[1].strip(b"/").decode()
        if kind == "hang":
            await asyncio.sleep(3600)
        writer.write(_ANSWERS[kind])
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


_ANSWERS = {
    "error": b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "garbage": b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n[[[}}}%%%\x00\x01\x02",
    "circle": b"HTTP/1.1 302 Found\r\nLocation: /circle\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "ready": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}


async def _serve(port: int) -> None:
    server = await asyncio.start_server(_misbehave, "0.0.0.0", port, backlog=1024)  # noqa: S104 - all of 127.0.0.0/8
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
