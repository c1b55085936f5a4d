"""Which addresses may be read from: decided on the address that is connected to, for every connection.

The ranges are explicit data, because ``ipaddress.is_global`` admits some that must be refused (multicast among them).
Sources: the IANA special-purpose address registries for IPv4 and IPv6, and the metadata addresses of cloud providers.
"""

from __future__ import annotations

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

import httpcore

from shared.problems import AddressRefused, SourceUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import httpx

_REFUSED_V4 = [
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
]
# Outside 2000::/3 nothing is globally routable: that alone refuses loopback, ULA, link-local, multicast, IPv4-mapped,
# IPv4-compatible and NAT64 forms. Inside it, these are set aside for translation, tunnels and documentation.
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
# ISATAP (RFC 5214 §6.1): an interface identifier under any prefix that holds an IPv4 address to tunnel to.
_ISATAP = {0x00005EFE, 0x02005EFE}
_REFUSED_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa", ".onion", ".svc", ".cluster.local")
_READS_AS_NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|[0-9]+)")
_RESOLVER_THREADS = 8


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether *address* is an ordinary address of the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return False
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


class Guard:
    """The rules of section "Fetching safely": special ranges, ports and names, and what the operator exempts."""

    def __init__(
        self,
        exempt: Iterable[str] = (),
        ports: Iterable[int] = (80, 443, 8080, 8443),
        resolve_seconds: float = 3.0,
    ) -> None:
        """Exempt the networks (CIDR) and host names in *exempt*; read from *ports* only."""
        exempt = list(exempt)
        self._networks = [ip_network(name) for name in exempt if "/" in name]
        self._names = {name.removesuffix(".") for name in exempt if "/" not in name}
        self._ports = frozenset(ports)
        self._resolve_seconds = resolve_seconds
        self._resolvers = ThreadPoolExecutor(_RESOLVER_THREADS, thread_name_prefix="resolve")

    def judge(self, url: httpx.URL) -> None:
        """Raise AddressRefused if *url* can be refused without looking its name up."""
        host = url.raw_host.decode("ascii").lower().removesuffix(".")
        port = url.port or (443 if url.scheme == "https" else 80)
        if host in self._names:
            return
        literal = _literal(host)
        if literal is not None:
            self._admit(literal, port)
        else:
            self._judge_name(host)
            # With networks exempted, a name may turn out to lie in one of them: then connecting decides.
            if port not in self._ports and not self._networks:
                raise self._refused_port(port)

    def _judge_name(self, host: str) -> None:
        if _READS_AS_NUMBER.fullmatch(host):
            raise AddressRefused("The host reads as a number; use a name or a plain address.")
        if "." not in host or f".{host}".endswith(_REFUSED_SUFFIXES):
            raise AddressRefused(f"The name {host} belongs to a private network; publish the index on a public one.")

    def _refused_port(self, port: int) -> AddressRefused:
        allowed = ", ".join(str(one) for one in sorted(self._ports))
        return AddressRefused(f"Port {port} is not one of {allowed}.")

    def _admit(self, address: IPv4Address | IPv6Address, port: int) -> None:
        if any(address in network for network in self._networks):
            return
        if not is_public(address):
            raise AddressRefused(f"The address {address} is not on the public internet.")
        if port not in self._ports:
            raise self._refused_port(port)

    async def addresses(self, host: str, port: int) -> list[str]:
        """Return the addresses of *host* that may be connected to; one bad address refuses them all.

        Raise AddressRefused, or SourceUnreachable when the name does not resolve within 3 s.
        """
        host = host.lower().removesuffix(".")
        named = host in self._names
        literal = _literal(host)
        if literal is None and not named:
            self._judge_name(host)
        found = [literal] if literal is not None else await self._resolve(host, port)
        for address in () if named else found:
            self._admit(address, port)
        return [str(address) for address in found]

    async def _resolve(self, host: str, port: int) -> Sequence[IPv4Address | IPv6Address]:
        # The dot at the end keeps the resolver's search list out; own threads keep a name that hangs from others.
        name = host if host in self._names else f"{host}."
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._resolve_seconds):
                answers = await loop.run_in_executor(self._resolvers, _look_up, name, port)
        except (OSError, UnicodeError) as fault:
            raise SourceUnreachable("The host's name does not resolve.") from fault
        return [ip_address(answer) for answer in answers]

    def close(self) -> None:
        """Let go of the resolver's threads."""
        self._resolvers.shutdown(wait=False, cancel_futures=True)


def _look_up(name: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    # An address with a zone (fe80::1%eth0) is link-local; without the zone it is refused as such.
    return list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


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
        """Connect to the first address of *host* that answers; the name stays the one that TLS checks."""
        addresses = await self._guard.addresses(host, port)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

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
