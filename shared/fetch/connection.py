"""A connection for one request, plain or TLS, with a bound on the bytes before the body of its answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

import httpx

from shared.problems import SourceTooLarge, SourceUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_HEAD = 96 * 1024
"""Bytes that may come before an answer's body, interim answers (RFC 9110 §15.2) included.

The parser gives up beyond 100 KiB of one head; below that this bound alone decides.
"""


class HandshakeFailed(httpx.ConnectError):
    """The server accepted the connection, and the TLS handshake failed."""


class HandshakeTimeout(httpx.ConnectTimeout):
    """The server accepted the connection, and the TLS handshake took too long."""


class SourceConnection:
    """A connection from which at most MAX_HEAD bytes are read until ``open`` is called for the body.

    The parser bounds one head, but takes any number of interim answers before it.

    It is a bare socket until TLS begins: bytes that a server sends before the handshake are not read, so that none can
    pass for a part of the TLS stream, and a request without TLS costs no task, transport or buffer. Only connecting and
    the handshake have time-outs here: the caller's deadline covers the rest.
    """

    def __init__(self, connected: socket.socket) -> None:
        """Own the socket *connected*, which is non-blocking."""
        self._socket = connected
        self._asyncio_owns_socket = False
        self._tls: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._budget: float = MAX_HEAD
        self._answering = self._ended = False

    @classmethod
    async def to(cls, address: str, port: int, seconds: float | None) -> SourceConnection:
        """Return a connection to the IP *address*.

        Raise httpx's ConnectTimeout after *seconds*, its ConnectError for any other failure, with the socket closed.
        """
        with _errors_as(httpx.ConnectTimeout, httpx.ConnectError):
            connecting = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            try:
                connecting.setblocking(False)  # noqa: FBT003 - the standard library's signature
                async with asyncio.timeout(seconds):
                    await asyncio.get_running_loop().sock_connect(connecting, (address, port))
            except BaseException:
                connecting.close()
                raise
        return cls(connecting)

    async def start_tls(self, context: ssl.SSLContext, name: str, seconds: float | None = None) -> None:
        """Begin TLS, with a certificate that must be valid for *name*.

        Raise HandshakeTimeout after *seconds*, HandshakeFailed for any other failure.
        """
        # asyncio closes the socket from here on, also when the handshake fails.
        self._asyncio_owns_socket = True
        with _errors_as(HandshakeTimeout, HandshakeFailed):
            async with asyncio.timeout(seconds):
                self._tls = await asyncio.open_connection(sock=self._socket, ssl=context, server_hostname=name)

    async def write(self, buffer: bytes) -> None:
        """Send a part of the request; raise httpx's WriteError when the connection broke.

        Raise its LocalProtocolError once an answer is being read: the rest of that could pass for the next answer.
        """
        if self._answering:
            raise httpx.LocalProtocolError("A connection is for one request.")
        with _errors_as(httpx.WriteTimeout, httpx.WriteError):
            if self._tls is None:
                await asyncio.get_running_loop().sock_sendall(self._socket, buffer)
            else:
                self._tls[1].write(buffer)
                await self._tls[1].drain()

    async def read(self, most: int) -> bytes:
        """Return 1 to *most* bytes, or none at the end; raise SourceTooLarge when heads take more than MAX_HEAD bytes.

        Raise httpx's ReadError when the connection broke, or was ended by ``end``, and SourceUnreachable when TLS ended
        without its closing alert: then nobody knows whether that is the end of the answer (RFC 9112 §9.8).
        """
        self._answering = True
        if self._budget <= 0:
            raise SourceTooLarge(f"The source sends more than {MAX_HEAD:,} bytes of headers.")
        most = int(min(most, self._budget))
        with _errors_as(httpx.ReadTimeout, httpx.ReadError):
            if self._tls is None:
                received = await asyncio.get_running_loop().sock_recv(self._socket, most)
            else:
                received = await self._tls[0].read(most)
        if not received:
            self._require_end()
        self._budget -= len(received)
        return received

    def _require_end(self) -> None:
        """Raise unless the server ended the connection, and TLS before it; else the answer may be cut off."""
        if self._ended:
            raise httpx.ReadError("The hub ended the connection.")
        if self._tls is not None and not _was_closed(self._tls[1].get_extra_info("ssl_object")):
            raise SourceUnreachable(
                "The TLS connection ended without its closing alert (close_notify), so its answer may be cut off. "
                "A complete answer that announces its length needs no such alert."
            )

    def open(self) -> None:
        """Lift the bound for the body, whose bytes its reader counts."""
        self._budget = float("inf")

    def end(self) -> None:
        """End both directions: a task that reads or writes gets ReadError or WriteError."""
        self._ended = True
        if self._tls is None:
            with contextlib.suppress(OSError):  # the other end may have ended it
                self._socket.shutdown(socket.SHUT_RDWR)
        else:
            self._tls[1].transport.abort()

    async def aclose(self) -> None:
        """Close the connection at once, unsent and unread bytes with it; no task may be reading it."""
        if not self._asyncio_owns_socket:
            self._socket.close()
        elif self._tls is not None:
            self._tls[1].transport.abort()
            # The event loop closes the socket in its next round.
            await asyncio.sleep(0)


def _was_closed(tls: ssl.SSLObject) -> bool:
    """Tell whether the peer closed *tls* with close_notify (RFC 8446 §6.1); all bytes before must have been read."""
    try:
        return not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:  # it waits for more
        return False


@contextlib.contextmanager
def _errors_as(timeout_error: type[Exception], other_error: type[Exception]) -> Iterator[None]:
    """Turn TimeoutError into *timeout_error* and any other OSError, TLS's included, into *other_error*."""
    try:
        yield
    except TimeoutError as fault:
        raise timeout_error(str(fault)) from fault
    except OSError as fault:
        raise other_error(str(fault)) from fault
