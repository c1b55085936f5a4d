"""A load generator that is not the bottleneck: wrk where it is installed, else one of our own in a second process."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 8
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Load(NamedTuple):
    """What came back: requests per second, and the 50th and 99th percentile of the time to the whole answer in ms."""

    rate: float
    p50: float
    p99: float


def generator() -> str:
    """Return the name of the generator that will be used."""
    return "wrk" if shutil.which("wrk") else "bench/load.py"


def load(url: str, headers: Mapping[str, str], seconds: float, connections: int = CONNECTIONS) -> Load:
    """Ask *url* again and again over a number of connections."""
    if shutil.which("wrk"):
        return _wrk(url, headers, seconds, connections)
    return own(url, headers, seconds, connections)


def _wrk(url: str, headers: Mapping[str, str], seconds: float, connections: int) -> Load:
    named = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", *named, url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"the load on {url} met errors:\n{said}")
    rate = float(re.search(r"Requests/sec: +([\d.]+)", said)[1])  # type: ignore[index]
    return Load(rate, _milliseconds(said, "50%"), _milliseconds(said, "99%"))


def _milliseconds(said: str, name: str) -> float:
    number, unit = re.search(rf" {name} +([\d.]+)(us|ms|s)\b", said).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def own(url: str, headers: Mapping[str, str], seconds: float, connections: int = CONNECTIONS, rate: float = 0) -> Load:
    """Ask from a process of our own; with a *rate* (requests per second, in all) no faster than that."""
    told = json.dumps([url, dict(headers), seconds, connections, rate])
    said = subprocess.run([sys.executable, __file__, told], check=True, capture_output=True, text=True).stdout
    return Load(*json.loads(said))


class _Connection(asyncio.Protocol):
    """Sends the next request when the answer to the last one is whole."""

    def __init__(self, request: bytes, until: float, pause: float, times: list[float]) -> None:
        self._request, self._until, self._pause, self._times = request, until, pause, times
        self._left = -1
        self._head = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Count down to the end of the answer."""
        if self._left < 0:
            self._head += data
            head, found, rest = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            length = _LENGTH.search(head)
            no_body = head.startswith(b"HTTP/1.1 304")
            if not no_body and (length is None or not head.startswith(b"HTTP/1.1 200")):
                raise SystemExit(head.decode("latin-1"))
            self._left = 0 if no_body or length is None else int(length[1])
            data, self._head = rest, b""
        self._left -= len(data)
        if self._left == 0:
            self._whole()

    def _whole(self) -> None:
        now = time.perf_counter()
        self._times.append((now - self._asked) * 1000)
        self._left = -1
        if now >= self._until:
            self._transport.close()
            self.done.set_result(None)
        elif self._pause:
            asyncio.get_running_loop().call_later(max(0.0, self._asked + self._pause - now), self._ask)
        else:
            self._ask()


async def _run(url: str, headers: dict[str, str], seconds: float, connections: int, rate: float) -> Load:
    where = urlsplit(url)
    lines = [f"GET {where.path}?{where.query} HTTP/1.1".replace("? ", " "), f"Host: {where.netloc}"]
    request = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""]).encode()
    times: list[float] = []
    begun = time.perf_counter()
    pause = connections / rate if rate else 0.0
    loop = asyncio.get_running_loop()
    made = [_Connection(request, begun + seconds, pause, times) for _ in range(connections)]
    for one in made:
        await loop.create_connection(lambda one=one: one, str(where.hostname), int(where.port or 80))  # type: ignore[misc]
    await asyncio.gather(*(one.done for one in made))
    spent = time.perf_counter() - begun
    times.sort()
    return Load(len(times) / spent, times[len(times) // 2], times[min(len(times) - 1, int(len(times) * 0.99))])


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(*json.loads(sys.argv[1])))))
