"""Connections to admitted addresses: which ones are opened, how many at a time, and what their failures mean."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING

import httpx

from shared.fetch import urls
from shared.fetch.connection import HandshakeFailed, HandshakeTimeout, SourceConnection
from shared.fetch.exchange import Exchange
from shared.problems import SourceTimeout, SourceUnreachable
from shared.shortage import causes, shortage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shared.fetch.guard import Guard
    from shared.fetch.talk import TalkTime
    from shared.problems import Problem, SourceProblem

_TRIED = 4  # addresses of one name
_SPEAK_TLS = "The port must speak https, with TLS 1.2 or newer."
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH: the only texts of OpenSSL that hold a name, which
# may be one that only a redirect told the hub.
_MISMATCHES = {62: "it is for another name", 64: "it is for another address"}


class Connector:
    """Opens connections for one request, to admitted addresses only."""

    def __init__(self, guard: Guard, seconds: float | None = None) -> None:
        """Give each address its share of *seconds* to answer, and as much as that to the TLS handshake."""
        self._guard = guard
        self._seconds = seconds
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def connect(self, url: httpx.URL, talk: TalkTime | None = None) -> SourceConnection:
        """Connect to where *url* lies; the name stays the one that TLS checks.

        Raise AddressRefused, what the resolver raises, httpx's ConnectError and ConnectTimeout, and of these two the
        kinds that ``SourceConnection.start_tls`` raises.
        """
        scheme, host, port = urls.origin(url)
        connection = await self._to(host, port, talk)
        if scheme == "https":
            await connection.start_tls(self._tls, host, self._seconds)
        return connection

    async def _to(self, host: str, port: int, talk: TalkTime | None) -> SourceConnection:
        """Connect to the first address of *host* that answers in its share of the time; four are tried.

        Where none answers, raise the last failure, or the first one that tells what the hub's own machine lacks.
        """
        addresses = _by_turns(await self._guard.addresses(host, port, talk))[:_TRIED]
        each = self._seconds and self._seconds / len(addresses)
        failures = list[Exception]()
        for address in addresses:
            try:
                return await SourceConnection.to(address, port, each)
            except (httpx.ConnectError, httpx.ConnectTimeout) as fault:
                failures.append(fault)
            if _lacks_address(failures[-1], address, port):
                failures[-1] = httpx.ConnectError("The machine has no address to connect from.")
        try:
            # Where the hub's own machine lacked something for one of them, the others tell nothing about the server.
            raise next(filter(shortage, failures), failures[-1])
        finally:
            # A failure holds this frame, which must not hold it in turn.
            failures.clear()


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

    def __init__(self, connector: Connector, places: int) -> None:
        self._connector = connector
        self._places = places
        self._origins: dict[tuple[tuple[str, str, int], str | None], Origin] = {}
        self._open: set[Exchange] = set()

    @contextlib.asynccontextmanager
    async def use(self, url: httpx.URL, talk: TalkTime | None = None) -> AsyncIterator[Exchange]:
        """Wait for a place at *url*'s origin; yield what sends one request, and close its connection at the end."""
        origin, owner = urls.origin(url), talk.owner if talk else ""
        mine, all_owners = (origin, owner), (origin, None)
        gates = self._joined(mine, self._places), self._joined(all_owners, self._places + 1)
        exchange = Exchange(partial(self._connector.connect, talk=talk))
        try:
            async with gates[0], gates[1]:
                self._open.add(exchange)
                try:
                    yield exchange
                finally:
                    self._open.discard(exchange)
                    await exchange.aclose()
        finally:
            self._part(mine)
            self._part(all_owners)

    def _joined(self, key: tuple[tuple[str, str, int], str | None], most: int) -> asyncio.Semaphore:
        """Return the places of *key*, which are kept until ``_part`` is called as often as this."""
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = Origin(asyncio.Semaphore(most))
        origin.users += 1
        return origin.places

    def _part(self, key: tuple[tuple[str, str, int], str | None]) -> None:
        origin = self._origins[key]
        origin.users -= 1
        if not origin.users:
            del self._origins[key]

    def close(self) -> None:
        """End every connection under whoever uses it."""
        for exchange in self._open:
            exchange.end()


def explained(fault: Exception, connect_seconds: float) -> Problem:
    """Return the problem that *fault* comes to. It names a kind of failure and holds nothing that the source sent.

    It is Overloaded where the hub's own machine has run out of something, else a SourceProblem.
    """
    if problem := shortage(fault) or _tls(causes(fault)):
        return problem
    if isinstance(fault, HandshakeTimeout):
        says = f"The server accepted the connection, but completed no TLS handshake within {connect_seconds:g} s."
        return SourceTimeout(f"{says} {_SPEAK_TLS}")
    if isinstance(fault, HandshakeFailed):
        return SourceUnreachable(f"The server ended the connection during the TLS handshake. {_SPEAK_TLS}")
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
            return SourceUnreachable(f"The TLS connection failed. {_SPEAK_TLS}")
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
