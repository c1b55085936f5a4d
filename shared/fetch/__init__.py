"""Fetching a URL of an untrusted source: bounded in time and size, from admitted addresses only.

httpx is used in this package and nowhere else, without its client: that would send cookies and credentials, use
proxies, and follow redirects to addresses that were not admitted.
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
from shared.model.stored_content import Validators
from shared.problems import AddressRefused, Overloaded, SourceProblem, SourceRedirect, SourceTimeout

if TYPE_CHECKING:
    import httpx

    from shared.fetch.exchange import Exchange
    from shared.fetch.guard import Guard
    from shared.fetch.lanes import LanePlace

__all__ = ["MAX_BYTES", "FetchBounds", "Fetched", "Fetcher", "TalkTime", "Validators"]

MAX_REDIRECTS = 10
"""Twice the usual longest chain: to https, a canonical name, a renamed repo, a host for raw files, a signed URL."""

_REMEMBERED = 4096
_log = logging.getLogger("hub.sources")
_CONDITIONS = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class FetchBounds:
    """How long the fetch of one source may take, redirects included, and how many fetches run at a time.

    *per_origin* connections are for the sources of one owner at one origin; those of all owners get one more.
    """

    total_seconds: float = 20.0
    connect_seconds: float = 10.0
    per_origin: int = 4
    widths: Widths = field(default_factory=Widths)


class Ask(NamedTuple):
    """The fields of a request: the value of ``Accept``, and validators that make it conditional (RFC 9110 §13.1)."""

    accept: str
    validators: Validators = Validators()


class Fetcher:
    """Fetches sources with few connections per origin, and so that slow ones don't delay the others."""

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
        """Return the answer of *url*, or of where at most 10 redirects lead: a 200, or a 304 to *validators*.

        *accept* is the value of ``Accept`` (RFC 9110 §12.5.1). *talk* sums the seconds spent with the source, also
        where it fails. Raise a SourceProblem for any other answer or none: ``source_status`` is the HTTP status, and
        ``retry_after`` the seconds for which ``host`` asks to be left alone (RFC 9110 §10.2.3). Raise Overloaded where
        the hub's own machine has no file, port, thread or memory left for it.
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
        chain = [url]
        while True:
            answer = await self._last_of(chain, ask, talk)
            if isinstance(answer, Fetched):
                return answer if url == chain[0] or answer.body is None else _with_url(url, answer)
            url = answer.url
            if url in chain:
                raise SourceRedirect("The source redirects in a circle.", source_status=answer.status)
            if len(chain) > MAX_REDIRECTS:
                raise SourceRedirect(
                    f"The source redirects more than {MAX_REDIRECTS} times.", source_status=answer.status
                )
            chain.append(url)

    async def _last_of(self, chain: list[httpx.URL], ask: Ask, talk: TalkTime) -> Fetched | Redirect:
        """Request the last URL of *chain*, the first URL and its redirects; set ``redirected`` of a SourceProblem."""
        url = chain[-1]
        self._judge(url, redirected=len(chain) > 1)
        # Validators belong to the URL that sent them (RFC 9110 §8.8), and are sent to no other URL of the chain.
        own = str(url) == (ask.validators.url or str(chain[0]))
        try:
            return await self._request(url, ask if own else Ask(ask.accept), talk)
        except SourceProblem as problem:
            problem.redirected = len({urls.host(hop) for hop in chain}) > 1
            raise

    def _judge(self, url: httpx.URL, *, redirected: bool) -> None:
        """Raise AddressRefused where *url* must not be read; only the log names the target of a redirect."""
        try:
            self._guard.judge(url)
        except AddressRefused as fault:
            if not redirected:
                raise
            _log.warning("a source redirects to a URL that is refused: %s", fault.detail)
            raise AddressRefused(
                "The source redirects to a host, an address or a port that the hub does not read from."
            ) from fault

    async def _request(self, url: httpx.URL, ask: Ask, talk: TalkTime) -> Fetched | Redirect:
        """Send one request, within the rest of the source's time; waiting for a place does not count."""
        origin = urls.origin(url)
        async with (
            self._origins.use(url, talk) as exchange,
            self._lanes.place(reliable=origin in self._answering, talk=talk) as place,
        ):
            try:
                async with talk.running(self._bounds.total_seconds):
                    answer = await self._ask(exchange, url, ask, place)
            except BaseException:
                # After a failure the origin counts as a stranger, until it answers again.
                self._answering.pop(origin, None)
                raise
            self._answering[origin] = None
            return answer

    async def _ask(self, exchange: Exchange, url: httpx.URL, ask: Ask, place: LanePlace) -> Fetched | Redirect:
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
        """End every connection; the fetches that use one raise SourceUnreachable."""
        self._origins.close()


def _with_url(url: httpx.URL, answer: Fetched) -> Fetched:
    """Return *answer* with its validators bound to *url*, which sent them and is not the URL of the registration."""
    validators = answer.validators._replace(url=str(url)) if answer.validators.conditions() else answer.validators
    return answer._replace(validators=validators)
