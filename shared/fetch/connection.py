"""One connection for one request: plain or in TLS, with a bound on what comes before a body."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import httpcore

from shared.problems import SourceTooLarge

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

MAX_HEAD = 96 * 1024
"""Bytes that may come before an answer's body, interim answers (RFC 9110 §15.2) included.

The client's parser gives up beyond 100 KiB of one head; below that this bound alone decides.
"""


class Connection(httpcore.AsyncNetworkStream):
    """A connection that brings at most MAX_HEAD bytes until it is opened for a body.

    The client's parser bounds one head, but takes any number of interim answers before it.

    Nothing is read before it is clear whether TLS is spoken: what a server sends before the handshake must not be taken
    for a part of what comes in it. No phase has a time-out of its own but connecting: the caller's deadline stands
    around them all.
    """

    def __init__(self, connected: socket.socket, server: tuple[str, int]) -> None:
        """Take over *connected*, which does not block, to the address and port *server*."""
        self._socket: socket.socket | None = connected
        self._server = server
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._left: float = MAX_HEAD
        self._answering = False

    @classmethod
    async def to(cls, address: str, port: int, seconds: float | None) -> Connection:
        """Connect to the IP *address*.

        Raise httpcore's ConnectTimeout after *seconds*, its ConnectError for any other failure.
        """
        with _raised_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            try:
                connecting.setblocking(False)  # noqa: FBT003 - the standard library's signature
                async with asyncio.timeout(seconds):
                    await asyncio.get_running_loop().sock_connect(connecting, (address, port))
            except BaseException:
                connecting.close()
                raise
        return cls(connecting, (address, port))

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> Connection:
        """Speak TLS from here on, with the name that the certificate must be for."""
        with _raised_as(httpcore.ConnectTimeout, httpcore.ConnectError):
            async with asyncio.timeout(timeout):
                await self._begun(ssl=ssl_context, server_hostname=server_hostname)
        return self

    async def _begun(self, **tls: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:  # noqa: ANN401 - asyncio's
        if self._streams is None:
            # From here on it is asyncio that closes the socket, also when the handshake fails.
            connected, self._socket = self._socket, None
            self._streams = await asyncio.open_connection(sock=connected, **tls)
        return self._streams

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - httpcore's
        """Send a part of the request; raise httpcore's WriteError when the connection broke.

        Raise its LocalProtocolError for a second request, whose answer might be what is left of the first one's.
        """
        if self._answering:
            raise httpcore.LocalProtocolError("A connection is for one request.")
        with _raised_as(httpcore.WriteTimeout, httpcore.WriteError):
            _, writer = await self._begun()
            writer.write(buffer)
            await writer.drain()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - httpcore's
        """Return what has come, nothing at its end; raise SourceTooLarge when a head needs more than MAX_HEAD.

        Raise httpcore's ReadError when the connection broke.
        """
        self._answering = True
        if self._left <= 0:
            raise SourceTooLarge(f"The source sends more than {MAX_HEAD:,} bytes of headers.")
        with _raised_as(httpcore.ReadTimeout, httpcore.ReadError):
            reader, _ = await self._begun()
            received = await reader.read(int(min(max_bytes, self._left)))
        self._left -= len(received)
        return received

    def open(self) -> None:
        """Let a body of any size come; whoever reads it counts."""
        self._left = float("inf")

    async def aclose(self) -> None:
        """Close the connection at once, whatever was still to be sent or read."""
        if self._socket:
            self._socket.close()
        if self._streams:
            self._streams[1].transport.abort()
            # The event loop closes the socket in its next round.
            await asyncio.sleep(0)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's
        """Return what the client asks for: what TLS agreed on (*ssl_object*), or the other end (*server_addr*)."""
        if info == "server_addr":
            return self._server
        return self._streams[1].get_extra_info(info) if self._streams else None


@contextlib.contextmanager
def _raised_as(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """Raise as httpcore's kinds what the socket and TLS raise."""
    try:
        yield
    except TimeoutError as fault:
        raise late(str(fault)) from fault
    except OSError as fault:
        raise broken(str(fault)) from fault
