"""Connections to admitted addresses: opening them, how many at a time, and the problems that their failures become."""

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

_TRIED = 4  # addresses of one name: each has a share of the time, and more shares would be too short
_SPEAK_TLS = "The port must speak https, with TLS 1.2 or newer."
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH: the only texts of OpenSSL that hold a name, which
# may be one that only a redirect told the hub.
_MISMATCHES = {62: "it is for another name", 64: "it is for another address"}


class Connector:
    """Opens connections for one request, to admitted addresses only."""

    def __init__(self, guard: Guard, seconds: float | None = None) -> None:
        """Divide *seconds* among the addresses of a host to connect; the TLS handshake may take *seconds* again."""
        self._guard = guard
        self._seconds = seconds
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def connect(self, url: httpx.URL, talk: TalkTime | None = None) -> SourceConnection:
        """Return a connection to the host and port of *url*; over TLS the certificate must be valid for its host.

        Raise AddressRefused, SourceUnreachable or Overloaded from ``Guard.addresses``; httpx's ConnectError or
        ConnectTimeout; HandshakeFailed or HandshakeTimeout, which are kinds of these two.
        """
        scheme, host, port = urls.origin(url)
        connection = await self._to(host, port, talk)
        if scheme == "https":
            await connection.start_tls(self._tls, host, self._seconds)
        return connection

    async def _to(self, host: str, port: int, talk: TalkTime | None) -> SourceConnection:
        """Return a connection to the first of four addresses of *host* that answers within its share of the time.

        Where none answers, raise the last failure, or the first one that is a shortage of the hub's own machine.
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
            # A shortage of the hub's own machine at one address outranks the failures at the others.
            raise next(filter(shortage, failures), failures[-1])
        finally:
            # Each failure's traceback refers to this frame: a list that refers back would be a cycle.
            failures.clear()


def _lacks_address(fault: Exception, address: str, port: int) -> bool:
    """Tell whether *fault* means that the machine has no address of its own from which *address* could be reached.

    The system says EADDRNOTAVAIL for that, as where IPv6 is turned off, and also where no local port is left for TCP.
    UDP has ports of its own, and sends nothing in order to connect.
    """
    if not any(isinstance(cause, OSError) and cause.errno == errno.EADDRNOTAVAIL for cause in causes(fault)):
        return False
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, port))
    except OSError as error:
        return error.errno == errno.EADDRNOTAVAIL
    return False


def _by_turns(addresses: list[str]) -> list[str]:
    """Return *addresses* with IPv4 and IPv6 taking turns (RFC 8305 §4), so that one broken family hides none."""
    begins_v6 = ":" in addresses[0]
    first, second = ([text for text in addresses if (":" in text) is is_v6] for is_v6 in (begins_v6, not begins_v6))
    return [text for pair in zip_longest(first, second) for text in pair if text]


@dataclass(slots=True)
class Origin:
    """The places of one origin, or of one owner there; *users* hold one or wait for it, and the last drops this."""

    places: asyncio.Semaphore
    users: int = 0


class Origins:
    """Bounds the connections at a time: *places* for the sources of one owner at one origin.

    All owners together have one more, so that the hanging sources of one owner leave the others a connection.

    No connection is used twice. Bytes behind an answer (RFC 9112 §6.3: beyond its length, the body of a 304, a second
    answer) could otherwise pass for the answer to the next request, which is another source's. Looking for such bytes
    does not help: they may still be in transit when the next request is written.
    """

    def __init__(self, connector: Connector, places: int) -> None:
        self._connector = connector
        self._places = places
        self._origins: dict[tuple[tuple[str, str, int], str | None], Origin] = {}
        self._open: set[Exchange] = set()

    @contextlib.asynccontextmanager
    async def use(self, url: httpx.URL, talk: TalkTime | None = None) -> AsyncIterator[Exchange]:
        """Wait for a place at *url*'s origin; yield an Exchange for one request, and at the end close its connection.

        The place is free once the connection is closed.
        """
        origin, owner = urls.origin(url), talk.owner if talk else ""
        own, all_owners = (origin, owner), (origin, None)
        gates = self._join(own, self._places), self._join(all_owners, self._places + 1)
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
            self._part(own)
            self._part(all_owners)

    def _join(self, key: tuple[tuple[str, str, int], str | None], most: int) -> asyncio.Semaphore:
        """Return the places of *key*, shared by its users until each of them has called ``_part``."""
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
        """End every connection; a task that uses one gets an error, as if the server had ended it."""
        for exchange in self._open:
            exchange.end()


def explained(fault: Exception, connect_seconds: float) -> Problem:
    """Return *fault* as a problem: Overloaded for a shortage of the hub's own machine, else a SourceProblem.

    Its detail names the kind of failure, and has no text that the source sent.
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


def _tls(chain: list[BaseException]) -> SourceProblem | None:
    for cause in chain:
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
