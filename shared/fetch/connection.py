"""One connection for one request: plain or in TLS, with a bound on what comes before a body."""

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
    """A connection that brings at most MAX_HEAD bytes until it is opened for a body.

    The parser bounds one head, but takes any number of interim answers before it.

    It is a bare socket until TLS begins: nothing that a server sends before the handshake is read, so that none of it
    is taken for a part of what comes in TLS, and a request without TLS costs no task, transport or buffer. No phase has
    a time-out of its own but connecting: the caller's deadline stands around them all.
    """

    def __init__(self, connected: socket.socket) -> None:
        """Take over *connected*, which does not block."""
        self._socket = connected
        self._given_to_tls = False
        self._tls: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._left: float = MAX_HEAD
        self._answering = self._ended = False

    @classmethod
    async def to(cls, address: str, port: int, seconds: float | None) -> SourceConnection:
        """Connect to the IP *address*.

        Raise httpx's ConnectTimeout after *seconds*, its ConnectError for any other failure.
        """
        with _raised_as(httpx.ConnectTimeout, httpx.ConnectError):
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
        """Speak TLS from here on, with the *name* that the certificate must be for.

        Raise HandshakeTimeout after *seconds*, HandshakeFailed for any other failure.
        """
        # From here on it is asyncio that closes the socket, also when the handshake fails.
        self._given_to_tls = True
        with _raised_as(HandshakeTimeout, HandshakeFailed):
            async with asyncio.timeout(seconds):
                self._tls = await asyncio.open_connection(sock=self._socket, ssl=context, server_hostname=name)

    async def write(self, buffer: bytes) -> None:
        """Send a part of the request; raise httpx's WriteError when the connection broke.

        Raise its LocalProtocolError for a second request, whose answer might be what is left of the first one's.
        """
        if self._answering:
            raise httpx.LocalProtocolError("A connection is for one request.")
        with _raised_as(httpx.WriteTimeout, httpx.WriteError):
            if self._tls is None:
                await asyncio.get_running_loop().sock_sendall(self._socket, buffer)
            else:
                self._tls[1].write(buffer)
                await self._tls[1].drain()

    async def read(self, most: int) -> bytes:
        """Return what has come, nothing at its end; raise SourceTooLarge when a head needs more than MAX_HEAD.

        Raise httpx's ReadError when the connection broke, or was ended by ``end``, and SourceUnreachable when TLS ended
        without its closing alert: then nobody knows whether that is the end of the answer (RFC 9112 §9.8).
        """
        self._answering = True
        if self._left <= 0:
            raise SourceTooLarge(f"The source sends more than {MAX_HEAD:,} bytes of headers.")
        most = int(min(most, self._left))
        with _raised_as(httpx.ReadTimeout, httpx.ReadError):
            if self._tls is None:
                received = await asyncio.get_running_loop().sock_recv(self._socket, most)
            else:
                received = await self._tls[0].read(most)
        if not received:
            self._require_end()
        self._left -= len(received)
        return received

    def _require_end(self) -> None:
        """Raise unless it is the server that ended the connection, and TLS before it: else an answer was cut off."""
        if self._ended:
            raise httpx.ReadError("The hub ended the connection.")
        if self._tls is not None and not _was_closed(self._tls[1].get_extra_info("ssl_object")):
            raise SourceUnreachable(
                "The TLS connection ended without its closing alert (close_notify), so its answer may be cut off. "
                "A complete answer that announces its length needs no such alert."
            )

    def open(self) -> None:
        """Let a body of any size come; whoever reads it counts."""
        self._left = float("inf")

    def end(self) -> None:
        """End both directions: whoever waits for something to come finds the connection broken."""
        self._ended = True
        if self._tls is None:
            with contextlib.suppress(OSError):  # the other end may have ended it
                self._socket.shutdown(socket.SHUT_RDWR)
        else:
            self._tls[1].transport.abort()

    async def aclose(self) -> None:
        """Close the connection at once, whatever was still to be sent or read; nobody may be reading it."""
        if not self._given_to_tls:
            self._socket.close()
        elif self._tls is not None:
            self._tls[1].transport.abort()
            # The event loop closes the socket in its next round.
            await asyncio.sleep(0)


def _was_closed(tls: ssl.SSLObject) -> bool:
    """Tell whether the other end closed *tls*, of which all that came was read."""
    try:
        return not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:  # it waits for more
        return False


@contextlib.contextmanager
def _raised_as(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    """Raise as httpx's kinds what the socket and TLS raise."""
    try:
        yield
    except TimeoutError as fault:
        raise late(str(fault)) from fault
    except OSError as fault:
        raise broken(str(fault)) from fault
