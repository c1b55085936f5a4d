"""Connections to admitted addresses: which ones are opened, how much one may bring, one small pool per origin."""

from __future__ import annotations

import asyncio
import contextlib
import select
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from shared.fetch import urls
from shared.problems import AddressRefused, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from shared.fetch.guard import Guard

MAX_HEAD = 128 * 1024
"""Bytes that may come before an answer's body, interim answers (RFC 9110 §15.2) included."""
_TRIED = 4  # addresses of one name


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for the client, to admitted addresses only."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of *host* that answers in its share of *timeout*.

        The name stays the one that TLS checks.
        """
        *others, last = (await self._guard.addresses(host, port))[:_TRIED]
        each = timeout and timeout / (len(others) + 1)
        for address in others:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return Metered(await self._inner.connect_tcp(address, port, each, local_address, socket_options))
        return Metered(await self._inner.connect_tcp(last, port, each, local_address, socket_options))

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the signature is httpcore's
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no source lies behind a Unix socket."""
        raise AddressRefused("A Unix socket is not a source.")

    async def sleep(self, seconds: float) -> None:
        """Wait, as the client asks between attempts."""
        await self._inner.sleep(seconds)


class Metered(httpcore.AsyncNetworkStream):
    """A connection that brings at most MAX_HEAD bytes after each request, until it is opened for a body.

    The client's parser bounds one head, but takes any number of interim answers before it.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._left: float = MAX_HEAD
        self._poll = select.poll()
        if raw := inner.get_extra_info("socket"):
            self._poll.register(raw, select.POLLIN)

    def open(self) -> None:
        """Let a body of any size come; whoever reads it counts."""
        self._left = float("inf")

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """Return what has come; raise SourceTooLarge when it is too much for a head."""
        received = await self._inner.read(max_bytes, timeout)
        self._left -= len(received)
        if self._left < 0:
            raise SourceTooLarge(f"The source sends more than {MAX_HEAD:,} bytes of headers.")
        return received

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Send a part of a request, which starts the count anew."""
        self._left = MAX_HEAD
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Go on in TLS, metered as before."""
        return Metered(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's
        """Return what the inner stream knows about itself."""
        if info == "is_readable":
            # Asked of each connection of a pool for each request; the inner stream takes ten times as long.
            return bool(self._poll.poll(0))
        return self._inner.get_extra_info(info)


@dataclass(slots=True)
class Origin:
    """What one origin gets: a pool, so many places in it, and for as long as someone uses them."""

    transport: httpx.AsyncHTTPTransport
    places: asyncio.Semaphore
    users: int = 0


class Origins:
    """Pools by origin. One pool for all would cost more with each connection: its bookkeeping is linear in them."""

    def __init__(self, guard: Guard, places: int) -> None:
        self._tls = ssl.create_default_context()
        self._backend = GuardedBackend(guard)
        self._places = places
        self._open: dict[tuple[str, str, int], Origin] = {}

    @contextlib.asynccontextmanager
    async def use(self, url: httpx.URL) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """Wait for a place at *url*'s origin; its connections are closed when the last user leaves."""
        key = urls.origin(url)
        origin = self._open.get(key)
        if origin is None:
            origin = self._open[key] = Origin(self._transport(), asyncio.Semaphore(self._places))
        origin.users += 1
        try:
            async with origin.places:
                yield origin.transport
        finally:
            origin.users -= 1
            if not origin.users and self._open.pop(key, None) is origin:
                await origin.transport.aclose()

    def _transport(self) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        # httpx has no public way to choose who opens connections.
        transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001
            ssl_context=self._tls,
            max_connections=self._places,
            keepalive_expiry=5,
            network_backend=self._backend,
        )
        return transport

    async def close(self) -> None:
        """Close every connection."""
        for origin in self._open.values():
            await origin.transport.aclose()
        self._open.clear()
