"""Sources that misbehave, on real sockets: a server on loopback with one misbehaviour per path."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Behaviour = Callable[[asyncio.StreamWriter, dict[str, str]], Awaitable[None]]

INDEX = b"version: 1\ncapabilities:\n- {id: a, name: A}\n"


def answer(status: str = "200 OK", body: bytes = b"", length: int | None = None, **headers: str) -> bytes:
    """Return an HTTP/1.1 answer; *length* is the length claimed, where that is not the true one."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    fields["content-length"] = str(len(body) if length is None else length)
    return head(status, **fields) + body


def head(status: str = "200 OK", **headers: str) -> bytes:
    """Return the head of an answer."""
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "\r\n"]).encode("latin-1")


class Hostile:
    """A server whose paths behave as a test says; keeps the requests and the connections it met."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.paths: dict[str, Behaviour] = {}
        self.port = 0
        self.open = self.most_open = self.connections = 0
        self._tasks: set[asyncio.Task[None] | None] = set()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of *path*."""
        return f"http://{host}:{self.port}{path}"

    def at(self, path: str, behaviour: Behaviour | bytes) -> str:
        """Let *path* behave so, or send these bytes; return its URL."""
        self.paths[path] = sends(behaviour) if isinstance(behaviour, bytes) else behaviour
        return self.url(path)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen on every address of loopback."""
        server = await asyncio.start_server(self._serve, "0.0.0.0", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            tasks = [task for task in self._tasks if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        ends = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ends), contextlib.closing(writer):
            while not writer.is_closing():
                await self._exchange(await reader.readuntil(b"\r\n\r\n"), writer)
                await writer.drain()

    async def _exchange(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        line, *fields = request.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        path = line.split()[1]
        self.requests.append((path, headers))
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        try:
            await self.paths[path](writer, headers)
        finally:
            self.open -= 1


def sends(*pieces: bytes, every: float = 0.0, close: bool = False) -> Behaviour:
    """Send the pieces, with a pause of *every* seconds before each but the first."""

    async def behave(writer: asyncio.StreamWriter, _: dict[str, str]) -> None:
        for number, piece in enumerate(pieces):
            await asyncio.sleep(every if number else 0)
            writer.write(piece)
            await writer.drain()
        if close:
            writer.close()

    return behave


def repeats(first: bytes, piece: bytes, every: float = 0.0) -> Behaviour:
    """Send *first*, and then *piece* again and again for as long as the client listens."""

    async def behave(writer: asyncio.StreamWriter, _: dict[str, str]) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return behave


async def hangs(_: asyncio.StreamWriter, __: dict[str, str]) -> None:
    """Never answer."""
    await asyncio.Event().wait()


def bomb(size: int) -> bytes:
    """Return *size* zeros in gzip, about a thousandth of that."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def packed(body: bytes, times: int = 1) -> bytes:
    """Return *body* in so many layers of gzip."""
    return packed(gzip.compress(body), times - 1) if times else body
