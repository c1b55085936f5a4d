"""Which addresses may be read from: decided for each connection, on the address that it goes to.

The ranges are explicit data, because ``ipaddress.is_global`` admits some that must be refused (multicast among them).
Sources: the IANA special-purpose address registries for IPv4 and IPv6, and the metadata addresses of cloud providers.
"""

from __future__ import annotations

import logging
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from shared.fetch import urls
from shared.fetch.resolver import Resolver
from shared.problems import AddressRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from shared.fetch.talk import TalkTime

# 168.63.129.16 looks public, but is the address at which Azure serves its own virtual machines.
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
_log = logging.getLogger("hub.sources")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether *address* is an ordinary address of the public internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        return False
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    if ":" not in host and not host[-1:].isdigit():
        # Nearly all hosts are names; an exception for each would cost more than all other checks.
        return None
    try:
        return ip_address(host)
    except ValueError:
        return None


class Guard:
    """The rules of section "Fetching safely": special ranges, ports and names, and what the operator exempts."""

    def __init__(self, exempt: Iterable[str] = (), ports: Iterable[int] = (80, 443, 8080, 8443)) -> None:
        """Exempt the networks (CIDR) and host names in *exempt*; read from *ports* only."""
        exempt = list(exempt)
        self._networks = [ip_network(name) for name in exempt if "/" in name]
        self._names = {name.lower().removesuffix(".") for name in exempt if "/" not in name}
        self._ports = frozenset(ports)
        self._resolver = Resolver()

    def judge(self, url: httpx.URL) -> None:
        """Raise AddressRefused for a *url* that is refused whatever its name resolves to; look no name up."""
        host = urls.host(url)
        port = url.port or (443 if url.scheme == "https" else 80)
        if host in self._names:
            return
        literal = _literal(host)
        if literal is not None:
            self._admit(literal, port)
        else:
            self._judge_name(host)
            # With networks exempted, the name may resolve to one of them: that is decided when connecting.
            if port not in self._ports and not self._networks:
                raise self._refused_port(port)

    def _judge_name(self, host: str) -> None:
        if _READS_AS_NUMBER.fullmatch(host):
            raise AddressRefused("The URL's host reads as a number; write its name, or an address as in 192.0.2.1.")
        if "." not in host or f".{host}".endswith(_REFUSED_SUFFIXES):
            raise AddressRefused(f"The name {host} belongs to a private network; publish the index on a public one.")

    def _refused_port(self, port: int) -> AddressRefused:
        allowed = ", ".join(str(number) for number in sorted(self._ports))
        return AddressRefused(f"The hub reads only from the ports {allowed}, and not from {port}.")

    def _admit(self, address: IPv4Address | IPv6Address, port: int, name: str | None = None) -> None:
        if any(address in network for network in self._networks):
            return
        if not is_public(address):
            if name is None:
                raise AddressRefused(f"The address {address} is not on the public internet.")
            # The problem is public, and would give away internal addresses of the hub's network; the log does not.
            _log.warning("the name %s leads to %s, which is not on the public internet", name, address)
            raise AddressRefused("The name leads to an address that is not on the public internet.")
        if port not in self._ports:
            raise self._refused_port(port)

    async def addresses(self, host: str, port: int, talk: TalkTime | None = None) -> list[str]:
        """Return the addresses of *host*, all admitted at *port*: one that is not refuses them all.

        Raise AddressRefused, whose detail never has an address from the resolver, SourceUnreachable when the name does
        not resolve within 3 s, or Overloaded. *talk* is paused while the look-up waits for a thread.
        """
        host = host.lower().removesuffix(".")
        exempt = host in self._names
        literal = _literal(host)
        if literal is None and not exempt:
            self._judge_name(host)
        # The dot at the end keeps the resolver's search list out of names that the operator did not write himself.
        name = host if exempt else f"{host}."
        addresses = [literal] if literal is not None else await self._resolver.addresses(name, talk)
        for address in () if exempt else addresses:
            self._admit(address, port, host if literal is None else None)
        return [str(address) for address in addresses]
