"""Reading a URL that nobody vouches for: bounded in time and size, from admitted addresses only.

httpx lives in this package and nowhere else. Its transports are used directly: cookies, proxies, credentials and
redirects of a client are all things that a source must not get.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from cachetools import LRUCache

from shared.clock import Clock
from shared.fetch import urls
from shared.fetch.answer import MAX_BYTES, Fetched, Redirect, read, retry_after
from shared.fetch.lanes import Lanes, Widths
from shared.fetch.network import Connector, Origins, explained
from shared.fetch.talk import TalkTime
from shared.model.kept import Validators
from shared.problems import AddressRefused, Overloaded, SourceProblem, SourceRedirect, SourceTimeout

if TYPE_CHECKING:
    import httpx

    from shared.fetch.exchange import Exchange
    from shared.fetch.guard import Guard
    from shared.fetch.lanes import LanePlace

__all__ = ["MAX_BYTES", "FetchBounds", "Fetched", "Fetcher", "TalkTime", "Validators"]

MAX_REDIRECTS = 10
"""What forges and stores do one after the other: https, a canonical name, a renamed repo, a raw host, a signed URL."""

_REMEMBERED = 4096
_log = logging.getLogger("hub.sources")
_CONDITIONS = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class FetchBounds:
    """How long a source may take, redirects included, and how many are asked at a time.

    *per_origin* is for the sources of one owner; those of all together get one connection more.
    """

    total_seconds: float = 20.0
    connect_seconds: float = 10.0
    per_origin: int = 4
    widths: Widths = field(default_factory=Widths)


class Ask(NamedTuple):
    """What is asked of a URL: the media types that are wanted, and the validators that make it conditional."""

    accept: str
    validators: Validators = Validators()


class Fetcher:
    """Fetches politely: few connections per origin, and slow sources out of the way of the others."""

    def __init__(
        self, guard: Guard, user_agent: str, bounds: FetchBounds | None = None, clock: Clock | None = None
    ) -> None:
        self._guard = guard
        self._bounds = bounds or FetchBounds()
        self._clock = clock or Clock()
        self._origins = Origins(Connector(guard, self._bounds.connect_seconds), self._bounds.per_origin)
        self._lanes = Lanes(self._bounds.widths)
        self._answering: LRUCache[tuple[str, str, int], None] = LRUCache(_REMEMBERED)
        self._headers = {
            "User-Agent": user_agent,
            "Accept-Encoding": "gzip",
            # One request for each connection (RFC 9112 §9.3 makes a client say so).
            "Connection": "close",
        }

    async def fetch(
        self, url: str, validators: Validators, talk: TalkTime | None = None, accept: str = "*/*"
    ) -> Fetched:
        """Return what *url* answers, following at most 10 redirects; raise a SourceProblem for everything else.

        *accept* is the value of the header Accept (RFC 9110 §12.5.1). *talk* counts for how long the source was talked
        to, whatever comes of it. The problem has the source's status as ``source_status``, and in ``retry_after`` for
        how many seconds ``host`` asks to be left alone. Raise Overloaded where the hub's own machine has no file, port,
        thread or memory left for it.
        """
        try:
            return await self._follow(urls.parse(url), Ask(accept, validators), talk or TalkTime(self._clock))
        except (SourceProblem, Overloaded):
            raise
        except TimeoutError as fault:
            raise SourceTimeout(f"No complete answer within {self._bounds.total_seconds:g} s.") from fault
        except Exception as fault:  # one bad source never harms another, whatever the client's libraries raise
            raise explained(fault, self._bounds.connect_seconds) from fault

    async def _follow(self, url: httpx.URL, ask: Ask, talk: TalkTime) -> Fetched:
        been = [url]
        while True:
            answer = await self._last_of(been, ask, talk)
            if isinstance(answer, Fetched):
                return answer if url == been[0] or answer.body is None else _at(url, answer)
            url = answer.url
            if url in been:
                raise SourceRedirect("The source redirects in a circle.", source_status=answer.status)
            if len(been) > MAX_REDIRECTS:
                raise SourceRedirect(
                    f"The source redirects more than {MAX_REDIRECTS} times.", source_status=answer.status
                )
            been.append(url)

    async def _last_of(self, been: list[httpx.URL], ask: Ask, talk: TalkTime) -> Fetched | Redirect:
        """Ask the last of the URLs that redirects led to; a problem tells whether another host led there."""
        url = been[-1]
        self._judge(url, redirected=len(been) > 1)
        # Validators mean something only to the URL that sent them (RFC 9110 §8.8): never on the way to it.
        mine = str(url) == (ask.validators.url or str(been[0]))
        try:
            return await self._one(url, ask if mine else Ask(ask.accept), talk)
        except SourceProblem as problem:
            problem.redirected = len({urls.host(one) for one in been}) > 1
            raise

    def _judge(self, url: httpx.URL, *, redirected: bool) -> None:
        """Raise AddressRefused where *url* must not be read; where a redirect led is told by the log alone."""
        try:
            self._guard.judge(url)
        except AddressRefused as fault:
            if not redirected:
                raise
            _log.warning("a source redirects to a URL that is refused: %s", fault.detail)
            raise AddressRefused(
                "The source redirects to a host, an address or a port that the hub does not read from."
            ) from fault

    async def _one(self, url: httpx.URL, ask: Ask, talk: TalkTime) -> Fetched | Redirect:
        """Ask once, in what is left of the source's time. Waiting for a place is free."""
        origin = urls.origin(url)
        async with (
            self._origins.use(url, talk) as exchange,
            self._lanes.place(known=origin in self._answering, talk=talk) as place,
        ):
            try:
                async with talk.running(self._bounds.total_seconds):
                    answer = await self._asked(exchange, url, ask, place)
            except BaseException:
                # A stranger again, until it answers.
                self._answering.pop(origin, None)
                raise
            self._answering[origin] = None
            return answer

    async def _asked(self, exchange: Exchange, url: httpx.URL, ask: Ask, place: LanePlace) -> Fetched | Redirect:
        conditions = {_CONDITIONS[name]: value for name, value in ask.validators.conditions().items()}
        headers = {**self._headers, "Accept": ask.accept, **conditions}
        response = await exchange.ask(url, headers)
        try:
            return await read(response, url, ask.validators, place)
        except SourceProblem as problem:
            problem.source_status = response.status_code
            problem.retry_after, problem.host = retry_after(response, self._clock), urls.host(url)
            raise

    async def close(self) -> None:
        """End every connection."""
        self._origins.close()


def _at(url: httpx.URL, answer: Fetched) -> Fetched:
    """Return *answer* with validators that say which URL sent them: another one than the first."""
    validators = answer.validators._replace(url=str(url)) if answer.validators.conditions() else answer.validators
    return answer._replace(validators=validators)
