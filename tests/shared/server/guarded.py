"""An app behind the guard, on real sockets, with bounds of tenths of seconds and a few kilobytes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from shared.problems import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send
    from uvicorn.server import ServerState

    from shared.server.bounds import ServerBounds

GET = b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n"
UP = b"POST / HTTP/1.1\r\nHost: hub\r\n"
CLOSING = b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"
KEPT = b"k" * 30_000_000
SOON = 0.15
"""How long, in these tests, a client may take, in seconds."""


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body that was sent; at /large with more than sockets hold, at /kept with what is kept for all.

    At /wait it comes after a while. At /fields the answer is the number of header fields, at /target what was asked
    for. At /early it comes before the body, at /slow it begins before and ends after a while, at /endless never.
    """
    if scope["path"] in _EARLY:
        await _EARLY[scope["path"]]()(scope, receive, send)
        return
    body = b"hello" if scope["method"] in {"GET", "OPTIONS"} else await Request(scope, receive).body()
    if scope["path"] == "/wait":
        await asyncio.sleep(3 * SOON)
    if scope["path"] == "/fields":
        body = b"%d fields" % len(scope["headers"])
    if scope["path"] in {"*", "/target"} or scope["query_string"]:
        body = f"{scope['method']} {scope['path']}?{scope['query_string'].decode()}".encode()
    if scope["path"] in {"/large", "/kept"}:
        body = b"x" * 30_000_000 if scope["path"] == "/large" else KEPT
    await PlainTextResponse(body)(scope, receive, send)


async def _slowly() -> AsyncIterator[str]:
    yield "begun"
    await asyncio.sleep(SOON / 2)
    yield " and ended"


async def _endlessly() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 10_000
        await asyncio.sleep(0)


_EARLY: dict[str, Callable[[], Response]] = {
    "/early": lambda: PlainTextResponse("early"),
    "/slow": lambda: StreamingResponse(_slowly(), headers={"content-length": str(len("begun and ended"))}),
    "/endless": lambda: StreamingResponse(_endlessly()),
}


@dataclass
class Served:
    """A server, and what it knows of its connections."""

    port: int
    bounds: ServerBounds
    state: ServerState
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        self.writers.append(writer)
        return reader, writer

    async def say(self, *pieces: bytes) -> bytes:
        """Send pieces on a connection of their own, and return all that comes until the server ends it."""
        reader, writer = await self.connect()
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await self.rest(reader)

    async def rest(self, reader: asyncio.StreamReader) -> bytes:
        """Return what comes until the server ends the connection; fail when it does not."""
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionError):
                return await reader.read()
            return b""

    async def has(self, connections: int) -> None:
        """Wait until the server has as many connections."""
        async with asyncio.timeout(5):
            while len(self.state.connections) != connections:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.005)


def problem(answer: bytes, slug: str) -> dict[str, Any]:
    """Check that an answer is this problem, and that the connection ends with it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    document: dict[str, Any] = json.loads(body)
    assert head.startswith(b"HTTP/1.1 %d " % PROBLEMS[slug].status)
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert document["type"] == f"http://hub/problems/{slug}"
    return document


def bodies(answer: bytes) -> list[bytes]:
    """Return the bodies of one answer after the other, each a 200."""
    found = []
    while answer:
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK"), head
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append(rest[:size])
        answer = rest[size:]
    return found
