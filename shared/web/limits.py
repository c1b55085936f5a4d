"""Limits per client: wrong tokens and validations a minute, requests and bytes of bodies at a time."""

from __future__ import annotations

import contextlib
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from shared.quotas import PerMinute, Pool
from shared.web.places import Admission, BodyRoom

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.requests import Request

    from shared.clock import Clock
    from shared.settings import Settings

VALIDATING = 32
"""Documents that are validated or queue for it: at a quarter of a second each the last of them waits for 8 s."""

MOST_HOPS = 32
"""Members of ``X-Forwarded-For`` that are read, from its end; an honest request passes two or three proxies."""

PEERS = 1000
"""Peers whose client is remembered: each line of the log names the client of its request."""

_IPV6_SITE = 64


class Limits:
    """The limits that are counted per client. The counts are in memory, bounded, and expire after a minute."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clients = Clients(settings.trusted_proxies)
        # In two halves, so that no number of strangers takes what writers need.
        size = settings.max_bodies_bytes // 2
        self.writers = BodyRoom(settings.max_requests, size, "writers", settings.max_body_bytes)
        self.others = BodyRoom(settings.max_requests, size, "clients without a token", settings.max_body_bytes)
        self._validating = Pool(VALIDATING, "documents to validate")
        self._wrong_tokens = PerMinute(settings.wrong_tokens_per_minute, clock, "wrong tokens from one address")
        self._validations = PerMinute(settings.validations_per_minute, clock, "validations for one address")

    @contextlib.contextmanager
    def admission(self, request: Request) -> Iterator[Admission]:
        """Yield the Admission of *request*, also in ``scope["admission"]``; at the end give back what it took."""
        # The client's address is a function, because it is worked out only for requests that take a place.
        admission = Admission(request.scope, self.writers, self.others, lambda: self.clients.of(request))
        request.scope["admission"] = admission
        try:
            yield admission
        finally:
            admission.close()
            # They refer to each other: the request would stay, with all that was sent, until a collection finds it.
            del request.scope["admission"]

    @contextlib.contextmanager
    def validation(self, request: Request) -> Iterator[None]:
        """Hold one of VALIDATING places for documents to validate, or raise Overloaded when all are taken."""
        with self._validating.taken(self.clients.of(request)):
            yield

    def count_wrong_token(self, request: Request) -> None:
        """Count a wrong token of the client, or raise TooManyRequests; right tokens are neither counted nor refused."""
        self._wrong_tokens.count(self.clients.of(request))

    def count_validation(self, request: Request) -> None:
        """Count a validation that the client asks for, or raise TooManyRequests."""
        self._validations.count(self.clients.of(request))


class Clients:
    """Finds the client of a request: the peer, or the address behind it where the peer is a proxy in the settings."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted = [ip_network(network) for network in trusted_proxies]
        self._remembered = lru_cache(PEERS)(self._judged)

    def peer(self, host: str) -> tuple[str, bool]:
        """Return the client at the address *host*, of IPv6 its /64, and whether it is a trusted proxy."""
        return self._remembered(host)

    def of(self, request: Request) -> str:
        """Return the client's address, of IPv6 its /64, which one client has to itself; ``unknown`` without any."""
        site, trusted = self.peer(request.client.host if request.client else "")
        if not trusted:
            return site
        forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
        # Each proxy appends the address of its peer, so only the end can be trusted: a client may write the rest.
        for hop in reversed(forwarded.rsplit(",", MOST_HOPS)[-MOST_HOPS:]):
            address = _address(hop)
            if address is None:
                break
            site = _site(address)
            if not self._is_trusted(address):
                break
        return site

    def _judged(self, host: str) -> tuple[str, bool]:
        address = _address(host)
        return ("unknown", False) if address is None else (_site(address), self._is_trusted(address))

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    # A socket for IPv6 and IPv4 shows an IPv4 client as ::ffff:a.b.c.d, which the operator's networks would not match.
    return getattr(address, "ipv4_mapped", None) or address


def _site(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _IPV6_SITE), strict=False))
    return str(address)
