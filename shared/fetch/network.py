"""Connections to admitted addresses: which ones are opened, how many at a time, and what their failures mean."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import httpcore
import httpx

from shared.fetch import urls
from shared.fetch.connection import Connection
from shared.problems import AddressRefused, SourceTimeout, SourceUnreachable
from shared.shortage import causes, shortage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from shared.fetch.guard import Guard
    from shared.fetch.talk import TalkTime
    from shared.problems import Problem, SourceProblem

_TRIED = 4  # addresses of one name
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH: the only texts of OpenSSL that hold a name, which
# may be one that only a redirect told the hub.
_MISMATCHES = {62: "it is for another name", 64: "it is for another address"}


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for one request, to admitted addresses only."""

    def __init__(self, guard: Guard, talk: TalkTime | None = None) -> None:
        self._guard = guard
        self._talk = talk

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,  # noqa: ARG002 - the hub has no choice of its own addresses
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - httpcore sets none
    ) -> Connection:
        """Connect to the first address of *host* that answers in its share of *timeout*; four are tried.

        The name stays the one that TLS checks. Where none answers, raise the last failure, or the first one that tells
        what the hub's own machine lacks.
        """
        addresses = _by_turns(await self._guard.addresses(host, port, self._talk))[:_TRIED]
        each = timeout and timeout / len(addresses)
        failures = list[Exception]()
        for address in addresses:
            try:
                return await Connection.to(address, port, each)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as fault:
                failures.append(fault)
            if _lacks_address(failures[-1], address, port):
                failures[-1] = httpcore.ConnectError("The machine has no address to connect from.")
        try:
            # Where the hub's own machine lacked something for one of them, the others tell nothing about the server.
            raise next(filter(shortage, failures), failures[-1])
        finally:
            # A failure holds this frame, which must not hold it in turn.
            failures.clear()

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - the signature is httpcore's
        timeout: float | None = None,  # noqa: ARG002, ASYNC109
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> Connection:
        """Refuse: no source lies behind a Unix socket."""
        raise AddressRefused("A Unix socket is not a source.")

    async def sleep(self, seconds: float) -> None:
        """Wait, as the client asks between attempts."""
        await asyncio.sleep(seconds)


def _lacks_address(fault: Exception, address: str, port: int) -> bool:
    """Tell whether *fault* means that the machine has no address of its own from which *address* could be reached.

    The system says EADDRNOTAVAIL for that, as where IPv6 is turned off, and also where no local port is left for TCP.
    UDP has ports of its own, and sends nothing in order to connect.
    """
    if not any(isinstance(one, OSError) and one.errno == errno.EADDRNOTAVAIL for one in causes(fault)):
        return False
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, port))
    except OSError as same:
        return same.errno == errno.EADDRNOTAVAIL
    return False


def _by_turns(addresses: list[str]) -> list[str]:
    """Return *addresses* with IPv4 and IPv6 taking turns (RFC 8305 §4), so that one broken family hides none."""
    kind = ":" in addresses[0]
    first, second = ([one for one in addresses if (":" in one) is which] for which in (kind, not kind))
    return [one for pair in zip_longest(first, second) for one in pair if one]


@dataclass(slots=True)
class Origin:
    """The places of one origin, or of one owner there, for as long as someone uses them or waits for one."""

    places: asyncio.Semaphore
    users: int = 0


class Origins:
    """A connection of its own for each request, and so many at a time for each owner of sources at each origin.

    One more is for all owners together, so that the sources of one that hang leave the others a connection.

    No connection is used twice. What follows an answer on it (RFC 9112 §6.3: bytes over its length, the body of a 304,
    a second answer) could otherwise be taken for the answer to the next request, which is another source's. Looking
    for such bytes does not help: they may still be on their way when the next request is written.
    """

    def __init__(self, guard: Guard, places: int) -> None:
        self._tls = ssl.create_default_context()
        self._guard = guard
        self._places = places
        self._origins: dict[tuple[tuple[str, str, int], str | None], Origin] = {}
        self._open: set[httpx.AsyncHTTPTransport] = set()

    @contextlib.asynccontextmanager
    async def use(self, url: httpx.URL, talk: TalkTime | None = None) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        """Wait for a place at *url*'s origin; yield what sends one request, and close its connection at the end."""
        origin, owner = urls.origin(url), talk.owner if talk else ""
        async with (
            self._place((origin, owner), self._places),
            self._place((origin, None), self._places + 1),
            self._transport(origin, talk) as transport,
        ):
            yield transport

    @contextlib.asynccontextmanager
    async def _place(self, key: tuple[tuple[str, str, int], str | None], most: int) -> AsyncIterator[None]:
        origin = self._origins.setdefault(key, Origin(asyncio.Semaphore(most)))
        origin.users += 1
        try:
            async with origin.places:
                yield
        finally:
            origin.users -= 1
            if not origin.users:
                del self._origins[key]

    @contextlib.asynccontextmanager
    async def _transport(
        self, origin: tuple[str, str, int], talk: TalkTime | None
    ) -> AsyncIterator[httpx.AsyncHTTPTransport]:
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        scheme, host, port = origin
        # httpx has no public way to choose who opens connections, nor to do without a pool of them.
        transport._pool = httpcore.AsyncHTTPConnection(  # type: ignore[assignment]  # noqa: SLF001
            httpcore.Origin(scheme.encode(), host.encode(), port),
            ssl_context=self._tls,
            network_backend=GuardedBackend(self._guard, talk),
        )
        self._open.add(transport)
        try:
            yield transport
        finally:
            self._open.discard(transport)
            await transport.aclose()

    async def close(self) -> None:
        """Close every connection, in use or not."""
        for transport in [*self._open]:
            await transport.aclose()


def explained(fault: Exception, connect_seconds: float) -> Problem:
    """Return the problem that *fault* comes to. It names a kind of failure and holds nothing that the source sent.

    It is Overloaded where the hub's own machine has run out of something, else a SourceProblem.
    """
    if problem := shortage(fault) or _tls(causes(fault)):
        return problem
    if isinstance(fault, httpx.ConnectTimeout):
        return SourceTimeout(f"No connection to the URL's host and port within {connect_seconds:g} s.")
    if isinstance(fault, httpx.ConnectError):
        return SourceUnreachable("No server accepts connections at the URL's host and port.")
    return _broken(fault)


def _tls(found: list[BaseException]) -> SourceProblem | None:
    for cause in found:
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = _MISMATCHES.get(cause.verify_code) or cause.verify_message
            return SourceUnreachable(f"The server's certificate is not valid: {why}.")
        if isinstance(cause, ssl.SSLError):
            return SourceUnreachable("The TLS connection failed. The port must speak https, with TLS 1.2 or newer.")
    return None


def _broken(fault: Exception) -> SourceProblem:
    if isinstance(fault, httpx.TimeoutException):
        return SourceTimeout("The server took too long to answer.")
    if isinstance(fault, httpx.RemoteProtocolError):
        return SourceUnreachable(
            "The server closed the connection before its answer was complete, or what it sent is not HTTP/1.1."
        )
    if isinstance(fault, httpx.NetworkError):
        return SourceUnreachable("The connection broke before the answer was complete.")
    return SourceUnreachable(f"The answer could not be read ({type(fault).__name__}).")
