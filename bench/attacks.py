"""``python -m bench.attacks [NAME ...]``: each attack for SECONDS (10), and what becomes of memory, health and writes.

Without names each attack is made once, one after the other; ``together`` makes all of them at once. ``SECONDS=600`` is
ten minutes of each. Memory is that of the hub and its processes; it is flat where the second half of the time adds
nothing to what the first half took but noise.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import secrets
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median, quantiles
from typing import TYPE_CHECKING, NamedTuple

import httpx

from bench.rig import DOMAIN, TOKEN, Rig, free_port, memory_with_children

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

WRITER = {"Authorization": f"Bearer {TOKEN}"}
CLIENTS = 4
SAMPLES_A_SECOND = 5
NOISE_MIB = 16.0
_numbers = itertools.count()


class Target(NamedTuple):
    """The hub that is attacked, a client to it, and the *port* of a publisher that takes part."""

    client: httpx.AsyncClient
    port: int
    address: tuple[str, int]


def _text(size: int) -> str:
    return secrets.token_hex(size // 2)


def _from_anywhere() -> dict[str, str]:
    number = next(_numbers)
    return {"X-Forwarded-For": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"}


async def _searches(target: Target) -> None:
    await target.client.get("/v1/capabilities", params={"q": _text(190), "tag": _text(190), "limit": 1000})


async def _urls(target: Target) -> None:
    url = f"https://{_text(20)}.example/{_text(1900)}"
    await target.client.get("/register", params={"url": url, "repo": _text(20), "domain": "d"})


async def _wishes(target: Target) -> None:
    wish = {"Accept": f"application/json, x/{_text(150)}", "Accept-Encoding": "gzip", "If-None-Match": f'"{_text(90)}"'}
    await target.client.get("/v1/federated", headers=wish)


async def _tokens(target: Target) -> None:
    sent = {**_from_anywhere(), "Authorization": f"Bearer {_text(500)}", "X-Request-ID": _text(90)}
    await target.client.post("/v1/repos", json={}, headers=sent)


async def _paths(target: Target) -> None:
    await target.client.request(_text(8).upper(), f"/{_text(200)}/{_text(4000)}", params={_text(8): _text(8000)})


async def _documents(target: Target) -> None:
    entries = [{"id": f"capability.{_text(8)}.n{number}", "name": _text(60), _text(60): 1} for number in range(2000)]
    body = json.dumps({"version": 1, "capabilities": entries})
    sent = {**_from_anywhere(), "Content-Type": "application/json"}
    await target.client.post("/v1/validate", content=body, headers=sent)


async def _pages(target: Target) -> None:
    for path in ("/", f"/sources?q={_text(20)}", "/findings", f"/v1/repos?domain=d{_text(20)}", "/metrics"):
        await target.client.get(path, headers={"Accept": "text/html, */*;q=0.5"})


async def _catalogs(target: Target) -> None:
    number = next(_numbers) % 9999 + 1
    await target.client.get(f"/ard/catalogs/{DOMAIN}?part={number}")
    await target.client.get(f"/v1/federated/changes?since=0&limit={number}")


async def _connections(target: Target) -> None:
    """Hold three hundred connections over which a request has only begun."""
    held = []
    try:
        for _ in range(300):
            _, writer = await asyncio.open_connection(*target.address)
            held.append(writer)
            writer.write(b"G")
        await asyncio.sleep(1)
    finally:
        for writer in held:
            writer.transport.abort()


async def _unread(target: Target) -> None:
    """Ask for much on one connection, and read nothing of it."""
    _, writer = await asyncio.open_connection(*target.address)
    try:
        writer.write(b"GET /v1/federated HTTP/1.1\r\nHost: hub\r\n\r\n" * 40)
        await asyncio.sleep(0.5)
    finally:
        writer.transport.abort()


async def _bodies(target: Target) -> None:
    """Announce a body, and send half of it."""
    _, writer = await asyncio.open_connection(*target.address)
    try:
        head = f"POST /v1/validate HTTP/1.1\r\nHost: hub\r\nContent-Type: text/yaml\r\nContent-Length: {10**6}\r\n\r\n"
        writer.write(head.encode() + b"a" * (10**6 // 2))
        await asyncio.sleep(0.5)
    finally:
        writer.transport.abort()


async def _registrations(target: Target) -> None:
    """Register a source whose host asks for a day's pause, with a long URL, and take it out."""
    repo = f"r{_text(20)}"
    host = f"127.{next(_numbers) >> 8 & 255}.{next(_numbers) & 255}.1"
    body = {"repo": repo, "domain": DOMAIN, "url": f"http://{host}:{target.port}/busy/{_text(1900)}"}
    await target.client.post("/v1/repos", json=body, headers=WRITER)
    await target.client.delete(f"/v1/repos/{repo}", headers=WRITER)


async def _trials(target: Target) -> None:
    body = {"repo": "trial", "domain": DOMAIN, "url": f"http://127.0.0.1:{target.port}/redirect/{_text(900)}"}
    await target.client.post("/v1/repos?dry_run=true", json=body, headers=WRITER)


async def _changes(target: Target) -> None:
    """Have a source read whose index is another one each time."""
    await target.client.post("/v1/repos/changing/refresh", headers=WRITER)


ATTACKS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "searches": _searches,
    "urls": _urls,
    "wishes": _wishes,
    "tokens": _tokens,
    "paths": _paths,
    "documents": _documents,
    "pages": _pages,
    "catalogs": _catalogs,
    "connections": _connections,
    "unread": _unread,
    "bodies": _bodies,
    "registrations": _registrations,
    "trials": _trials,
    "changes": _changes,
}


async def _publish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with an index that is another one each time, a redirect to a long URL, or the wish for a day's pause."""
    try:
        kind = (await reader.readuntil(b"\r\n\r\n")).split(b" ")[1].split(b"/")[1]
        status, field, body = b"200 OK", b"Content-Type: application/json", _index()
        if kind == b"busy":
            status, field, body = b"429 Later", b"Retry-After: 86400", b""
        if kind == b"redirect":
            status, field, body = b"302 Found", f"Location: /x/{_text(7800)}".encode(), b""
        head = b"HTTP/1.1 %s\r\n%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, field, len(body))
        writer.write(head + body)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def _index() -> bytes:
    entries = [
        {"id": f"capability.changing.n{number}", "name": _text(60), "summary": _text(900), "tags": [_text(40)]}
        for number in range(300)
    ]
    return json.dumps({"version": 1, "capabilities": entries}).encode()


class Seen(NamedTuple):
    """What was measured meanwhile: MiB of memory, and milliseconds of answers, one after the other."""

    memory: list[float]
    health: list[float]
    writes: list[float]


async def _attack(attack: Callable[[Target], Awaitable[None]], target: Target, ends: float) -> int:
    """Make *attack* until *ends*; return how often. Refusals are what an attacker gets, and no failure."""
    count = 0
    while time.monotonic() < ends:
        try:
            await attack(target)
        except (httpx.HTTPError, OSError):
            await asyncio.sleep(0.01)
        count += 1
    return count


def watched(pid: int, url: str, seconds: float) -> Seen:
    """Ask the hub at *url*, whose process is *pid*, one thing after the other for so many *seconds*.

    In a process of its own, so that what the attackers wait for each other is in none of the figures.
    """
    seen, ends, flags = Seen([], [], []), time.monotonic() + seconds, itertools.cycle([True, False])
    sent = {**WRITER, "Content-Type": "application/merge-patch+json"}
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        while time.monotonic() < ends:
            seen.memory.append(memory_with_children(pid))
            change = json.dumps({"required": next(flags)})
            seen.health.append(_milliseconds(client.build_request("GET", "/health"), client))
            write = client.build_request("PATCH", "/v1/repos/written", content=change, headers=sent)
            seen.writes.append(_milliseconds(write, client))
            time.sleep(1 / SAMPLES_A_SECOND)
    return seen


def _milliseconds(request: httpx.Request, client: httpx.Client) -> float:
    begun = time.monotonic()
    client.send(request).raise_for_status()
    return (time.monotonic() - begun) * 1000


async def _measure(names: Sequence[str], seconds: float) -> None:
    """Make the attacks of *names* at once for so many *seconds* on a hub of their own, and print the line."""
    port = free_port()
    publisher = await asyncio.start_server(_publish, "0.0.0.0", port, backlog=1024)  # noqa: S104 - all of 127.0.0.0/8
    with Rig() as rig:
        hub = await asyncio.to_thread(
            rig.hub, rig.data("attacks"), trusted_proxies="127.0.0.0/8", max_mib="64", log_format="json"
        )
        host, _, number = hub.url.removeprefix("http://").partition(":")
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=hub.url, timeout=60, trust_env=False, limits=limits) as client:
            target = Target(client, port, (host, int(number)))
            for repo in ("changing", "written"):
                body = {"repo": repo, "domain": DOMAIN, "url": f"http://127.0.0.1:{port}/{repo}/x"}
                (await client.post("/v1/repos", json=body, headers=WRITER)).raise_for_status()
            ends = time.monotonic() + seconds
            attacks = [_attack(ATTACKS[name], target, ends) for name in names for _ in range(CLIENTS)]
            with ProcessPoolExecutor(1, get_context("spawn")) as other:
                watching = asyncio.get_running_loop().run_in_executor(other, watched, hub.process.pid, hub.url, seconds)
                seen, counts = await asyncio.gather(watching, asyncio.gather(*attacks))
    publisher.close()
    print(_line("+".join(names) if len(names) < len(ATTACKS) else "together", sum(counts), seen), flush=True)


def _line(name: str, count: int, seen: Seen) -> str:
    half = len(seen.memory) // 2
    before, after = max(seen.memory[: half or 1]), max(seen.memory[half:])
    flat = "flat" if after <= before + NOISE_MIB else "GROWS"
    memory = f"{seen.memory[0]:6.0f} {before:6.0f} {after:6.0f} MiB {flat:5}"
    return f"{name:14} {count:9,} times  {memory}  health {_spread(seen.health)}  writes {_spread(seen.writes)}"


def _spread(figures: list[float]) -> str:
    most = quantiles(figures, n=100)[98] if len(figures) > 1 else figures[0]
    return f"{median(figures):6.1f} {most:7.1f} ms"


def main() -> None:
    """Make the attacks that are named, or all of them one after the other."""
    seconds, names = float(os.environ.get("SECONDS", "10")), sys.argv[1:] or list(ATTACKS)
    if unknown := set(names) - {*ATTACKS, "together"}:
        raise SystemExit(f"no such attack: {', '.join(sorted(unknown))}; there are {', '.join(ATTACKS)} and together")
    print("memory at first, most of the first half, most of the second half; median and 99th percentile of the rest")
    for name in names:
        asyncio.run(_measure(list(ATTACKS) if name == "together" else [name], seconds))


if __name__ == "__main__":
    main()
