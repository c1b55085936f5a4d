"""One request and its answer (RFC 9112) on a connection of its own. h11, which parses answers, is used only here."""

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
"""Bytes of one head, or of the trailer fields of a body; the connection bounds all heads together."""

_AT_A_TIME = 64 * 1024


class Exchange:
    """Sends one request over a connection that *connect* opens, and reads its answer.

    It is not a client of httpx, whose pool, locks and cancel scopes serve connections with several requests, and cost
    more processor time than the request itself.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: SourceConnection | None = None
        self._parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_EVENT)

    async def ask(self, url: httpx.URL, headers: Mapping[str, str]) -> httpx.Response:
        """Send a GET of *url* with *headers* and ``Host``; return the response as soon as its head has arrived.

        Its body is read from the connection as it is iterated. Raise httpx's LocalProtocolError for a second request,
        its RemoteProtocolError for an answer that is not HTTP/1.1, and the errors of SourceConnection.
        """
        if self._connection is not None:
            raise httpx.LocalProtocolError("A connection is for one request.")
        self._connection = await self._connect(url)
        with contextlib.suppress(httpx.WriteError):
            # A server may answer and end the connection before it has read all of a request (RFC 9112 §9.3).
            await self._connection.write(self._request_bytes(url, headers))
        event = await self._next()
        while not isinstance(event, h11.Response):
            # Interim answers (RFC 9110 §15.2); h11 refuses 101, since the request offered no upgrade. Thousands may be
            # in the buffer, and reading them never waits for the network, so other tasks get their turn here.
            await asyncio.sleep(0)
            event = await self._next()
        self._connection.open()
        return httpx.Response(event.status_code, headers=list(event.headers), stream=_BodyStream(self._next))

    def _request_bytes(self, url: httpx.URL, headers: Mapping[str, str]) -> bytes:
        """Return the bytes of the request, and note in the parser that it is sent."""
        fields: list[tuple[bytes, bytes]] = [(b"Host", url.netloc)]
        fields += [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
        head = h11.Request(method=b"GET", target=url.raw_path, headers=fields)
        return (self._parser.send(head) or b"") + (self._parser.send(h11.EndOfMessage()) or b"")

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        """Return the next event of the answer, PAUSED after its end; raise httpx's RemoteProtocolError."""
        assert self._connection is not None  # noqa: S101 - only a request has an answer
        try:
            while (event := self._parser.next_event()) is h11.NEED_DATA:
                self._parser.receive_data(await self._connection.read(_AT_A_TIME))
        except h11.RemoteProtocolError as fault:
            raise httpx.RemoteProtocolError(str(fault)) from fault
        return cast("h11.Event | type[h11.PAUSED]", event)

    def end(self) -> None:
        """End the connection; a task that reads the answer gets an error, as if it were cut off."""
        if self._connection is not None:
            self._connection.end()

    async def aclose(self) -> None:
        """Close the connection, also where the answer is not read to its end."""
        if self._connection is not None:
            await self._connection.aclose()


class _BodyStream(httpx.AsyncByteStream):
    """The chunks of a body as they come; the owner of the exchange closes the connection."""

    def __init__(self, next_event: Callable[[], Awaitable[object]]) -> None:
        self._next_event = next_event

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while isinstance(event := await self._next_event(), h11.Data):
            yield bytes(event.data)
