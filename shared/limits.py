"""How often one client may do what costs the hub or others something, and how much may be under way in all."""

from __future__ import annotations

import contextlib
import math
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from cachetools import TTLCache

from shared.problems import Overloaded, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.requests import Request

    from shared.auth.author import Author
    from shared.clock import Clock
    from shared.settings import Settings

WINDOW = 60.0
CLIENTS = 10_000
_IPV6_SITE = 64


class Limits:
    """The limits that are counted per client. What was counted lives in memory, a minute long and bounded."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clients = Clients(settings.trusted_proxies)
        self._most_under_way, self._under_way = settings.max_requests, 0
        self._wrong_tokens = _Counter(settings.wrong_tokens_per_minute, clock, "wrong tokens from one address")
        self._refreshes = _Counter(settings.refreshes_per_minute, clock, "fetches for one token")
        self._validations = _Counter(settings.validations_per_minute, clock, "validations for one address")

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Count one of *max_requests* writes and validations while the block runs; raise Overloaded where all run."""
        if self._under_way >= self._most_under_way:
            says = f"{self._most_under_way:,} writes and validations run already, and this hub runs no more at a time."
            raise Overloaded(f"{says} Send the request again in a second.", headers={"Retry-After": "1"})
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def count_wrong_token(self, request: Request) -> None:
        """Count a wrong token, or raise TooManyRequests; right ones are never counted, and so never refused."""
        self._wrong_tokens.count(self.clients.of(request))

    def count_validation(self, request: Request) -> None:
        """Count an index that is to be validated, or raise TooManyRequests."""
        self._validations.count(self.clients.of(request))

    def count_refresh(self, author: Author) -> None:
        """Count a fetch that *author* asks for, or raise TooManyRequests."""
        self._refreshes.count(author.name)


class _Counter:
    """Counts per key; the minute of a key starts with what is counted first."""

    def __init__(self, most: int, clock: Clock, what: str) -> None:
        self._most, self._clock, self._what = most, clock, what
        self._counted: TTLCache[str, list[float]] = TTLCache(CLIENTS, WINDOW, timer=clock.monotonic)

    def count(self, key: str) -> None:
        now = self._clock.monotonic()
        # The entry is changed in place: storing it again would begin its minute anew.
        started = self._counted.setdefault(key, [now, 0])
        if started[1] >= self._most:
            wait = max(1, math.ceil(started[0] + WINDOW - now))
            says = f"This hub takes {self._most:,} {self._what} a minute. Ask again in {wait} s."
            raise TooManyRequests(says, headers={"Retry-After": str(wait)})
        started[1] += 1


class Clients:
    """Who is asking: the peer, or who stands behind it where the peer is a proxy that the operator named."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted = [ip_network(one) for one in trusted_proxies]

    def of(self, request: Request) -> str:
        """Return the client's address; of IPv6 the /64, which one client has to itself."""
        peer = request.client.host if request.client else ""
        hops = [peer, *reversed(",".join(request.headers.getlist("x-forwarded-for")).split(","))]
        client: IPv4Address | IPv6Address | None = None
        for hop in hops:
            address = _address(hop)
            if address is None:
                break
            client = address
            if not any(address in network for network in self._trusted):
                break
        return "unknown" if client is None else _site(client)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _site(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), _IPV6_SITE), strict=False))
    return str(address)
