"""One request and its answer (RFC 9112) on a connection of its own. h11, which reads answers, lives in this module."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

import h11
import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from shared.fetch.connection import SourceConnection

    Connect = Callable[[httpx.URL], Awaitable[SourceConnection]]

MAX_EVENT = 100 * 1024
"""Bytes that one head, or the fields behind a body in chunks, may have; the connection bounds all heads together."""

_AT_A_TIME = 64 * 1024


class Exchange:
    """Sends one request, over the connection that *connect* opens, and brings the answer to it.

    A client of httpx does the same by way of a pool, a lock, and a scope of AnyIO around each step, all of which are
    for connections that serve several requests; they cost more than the request does.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: SourceConnection | None = None
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_EVENT)

    async def ask(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        """Return the answer to a GET of *url* with *headers*, all but Host, as soon as its head is there.

        Raise httpx's LocalProtocolError for a second request, its RemoteProtocolError for what is no HTTP/1.1, and
        what the connection raises.
        """
        if self._connection is not None:
            raise httpx.LocalProtocolError("A connection is for one request.")
        self._connection = await self._connect(url)
        with contextlib.suppress(httpx.WriteError):
            # A server may answer and end the connection before it has read all of a request (RFC 9112 §9.3).
            await self._connection.write(self._written(url, headers))
        event = await self._next()
        while not isinstance(event, h11.Response):
            # Interim answers (RFC 9110 §15.2); 101 is refused, because nothing was proposed to switch to. Thousands may
            # have come already, and are read without ever waiting for the network.
            await asyncio.sleep(0)
            event = await self._next()
        self._connection.open()
        return httpx.Response(event.status_code, headers=list(event.headers), stream=_BodyStream(self._next))

    def _written(self, url: httpx.URL, headers: Mapping[str, str]) -> bytes:
        """Return the bytes of the request."""
        fields: list[tuple[bytes, bytes]] = [(b"Host", url.netloc)]
        fields += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        head = h11.Request(method=b"GET", target=url.raw_path, headers=fields)
        return (self._parser.send(head) or b"") + (self._parser.send(h11.EndOfMessage()) or b"")

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        """Return the next part of the answer, or raise httpx's RemoteProtocolError; what follows its end is PAUSED."""
        assert self._connection is not None  # noqa: S101 - only a request has an answer
        try:
            while (event := self._parser.next_event()) is h11.NEED_DATA:
                self._parser.receive_data(await self._connection.read(_AT_A_TIME))
        except h11.RemoteProtocolError as fault:
            raise httpx.RemoteProtocolError(str(fault)) from fault
        return cast("h11.Event | type[h11.PAUSED]", event)

    def end(self) -> None:
        """End the connection under whoever uses it, who finds the answer cut off."""
        if self._connection is not None:
            self._connection.end()

    async def aclose(self) -> None:
        """Close the connection, whatever was still to come."""
        if self._connection is not None:
            await self._connection.aclose()


class _BodyStream(httpx.AsyncByteStream):
    """The pieces of a body as they come; whoever has the exchange closes its connection."""

    def __init__(self, following: Callable[[], Awaitable[object]]) -> None:
        self._following = following

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._following(), h11.Data):
            yield bytes(event.data)
