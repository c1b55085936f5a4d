"""The least work for a composition: a bare httpx loop over the same URLs, with nothing kept and nothing promised.

``loop.py '{"urls": [...], "work": "unchanged" | "changed"}'`` on standard input, seconds on standard output. It takes
the best of a few pool sizes, because httpx slows down with larger pools.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import yaml

from shared import schemas

POOLS = (1, 2, 4, 8)


def seconds(work: str, urls: list[str], document: bytes = b"") -> float:
    """Return what the least work takes, in a process of its own. *document* is encoded and compressed for "one"."""
    told = json.dumps({"work": work, "urls": urls, "document": document.decode()}).encode()
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, __file__], input=told, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": root}
    )
    return float(done.stdout)


async def _fetch(client: httpx.AsyncClient, url: str, tags: dict[str, str]) -> bytes:
    answer = await client.get(url, headers={"If-None-Match": tags[url]} if url in tags else {})
    tags[url] = answer.headers["etag"]
    return answer.content


async def _loop(urls: list[str], pool: int, tags: dict[str, str]) -> list[bytes]:
    """Ask for every URL once, *pool* at a time."""
    todo = iter(urls)

    async def worker(client: httpx.AsyncClient) -> list[bytes]:
        return [await _fetch(client, url, tags) for url in todo]

    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=pool), trust_env=False) as client:
        shares = await asyncio.gather(*(worker(client) for _ in range(pool)))
    return [body for share in shares for body in share]


def _best_loop(urls: list[str], tags: dict[str, str], *, forget: bool) -> tuple[float, list[bytes]]:
    best, bodies = float("inf"), []
    for pool in POOLS:
        known = {} if forget else dict(tags)
        begun = time.perf_counter()
        bodies = asyncio.run(_loop(urls, pool, known))
        best = min(best, time.perf_counter() - begun)
    return best, bodies


def _take_in(bodies: list[bytes]) -> float:
    """Parse, check and write down each body, one after the other; return the seconds."""
    check = schemas.checker("capability-index")
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for number, body in enumerate(bodies):
            index = yaml.load(body, Loader=yaml.CSafeLoader)
            check(index)
            with Path(folder, str(number)).open("wb") as file:
                file.write(orjson.dumps(index))
                file.flush()
                os.fsync(file.fileno())
        return time.perf_counter() - begun


def _encode(document: bytes) -> float:
    whole = orjson.loads(document)
    begun = time.perf_counter()
    gzip.compress(orjson.dumps(whole), 6)
    return time.perf_counter() - begun


def measure(told: dict[str, Any]) -> float:
    """Return the seconds that the work takes."""
    urls: list[str] = told["urls"]
    tags: dict[str, str] = {}
    if told["work"] == "unchanged":
        asyncio.run(_loop(urls, 4, tags))
        return _best_loop(urls, tags, forget=False)[0]
    spent, bodies = _best_loop(urls, tags, forget=True)
    spent += _take_in(bodies)
    return spent + _encode(told["document"].encode()) if told["work"] == "one" else spent


if __name__ == "__main__":
    print(measure(json.load(sys.stdin)))
