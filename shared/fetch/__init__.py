"""Reading a URL that nobody vouches for: bounded in time and size, from admitted addresses only.

httpx lives in this package and nowhere else. Its transports are used directly: cookies, proxies, credentials and
redirects of a client are all things that a source must not get.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from cachetools import LRUCache

from shared.clock import Clock
from shared.fetch import urls
from shared.fetch.answer import MAX_BYTES, Fetched, Redirect, Validators, read, retry_after
from shared.fetch.lanes import Lanes, Widths
from shared.fetch.network import Metered, Origins
from shared.problems import SourceProblem, SourceRedirect, SourceTimeout, SourceUnreachable

if TYPE_CHECKING:
    from shared.fetch.guard import Guard
    from shared.fetch.lanes import Place

__all__ = ["MAX_BYTES", "Bounds", "Fetched", "Fetcher", "Validators"]

MAX_REDIRECTS = 3
_REMEMBERED = 4096
_CONDITIONS = {"etag": "If-None-Match", "last_modified": "If-Modified-Since"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a source may take, redirects included, and how many are asked at a time."""

    total_seconds: float = 20.0
    connect_seconds: float = 10.0
    per_origin: int = 4
    widths: Widths = field(default_factory=Widths)


class Fetcher:
    """Fetches politely: few connections per origin, and slow sources out of the way of the others."""

    def __init__(
        self, guard: Guard, user_agent: str, bounds: Bounds | None = None, clock: Clock | None = None
    ) -> None:
        self._guard = guard
        self._bounds = bounds or Bounds()
        self._clock = clock or Clock()
        self._origins = Origins(guard, self._bounds.per_origin)
        self._lanes = Lanes(self._bounds.widths)
        self._answering: LRUCache[tuple[str, str, int], None] = LRUCache(_REMEMBERED)
        # One deadline stands around all other phases: time-outs of single reads never fire on a drip.
        self._timeouts = {"connect": self._bounds.connect_seconds}
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/yaml, application/json;q=0.9, */*;q=0.5",
            "Accept-Encoding": "gzip",
        }

    async def fetch(self, url: str, validators: Validators) -> Fetched:
        """Return what *url* answers, following at most 3 redirects; raise a SourceProblem for everything else.

        The problem has the source's status as ``source_status``, and in ``retry_after`` for how many seconds ``host``
        asks to be left alone.
        """
        try:
            return await self._follow(urls.parse(url), validators)
        except SourceProblem:
            raise
        except TimeoutError as fault:
            raise SourceTimeout(f"No complete answer within {self._bounds.total_seconds:g} s.") from fault
        except Exception as fault:  # one bad source never harms another, whatever the client's libraries raise
            raise _explained(fault, self._bounds) from fault

    async def _follow(self, url: httpx.URL, validators: Validators) -> Fetched:
        left, been = self._bounds.total_seconds, [url]
        while True:
            self._guard.judge(url)
            answer, spent = await self._one(url, validators, left)
            left -= spent
            if isinstance(answer, Fetched):
                return answer
            url = answer.url
            if url in been:
                raise SourceRedirect("The source redirects in a circle.", source_status=answer.status)
            if len(been) > MAX_REDIRECTS:
                raise SourceRedirect(
                    f"The source redirects more than {MAX_REDIRECTS} times.", source_status=answer.status
                )
            been.append(url)

    async def _one(self, url: httpx.URL, validators: Validators, left: float) -> tuple[Fetched | Redirect, float]:
        """Ask once, within *left* seconds; return what came and the seconds that took. Waiting for a place is free."""
        origin = urls.origin(url)
        async with self._origins.use(url) as transport, self._lanes.place(known=origin in self._answering) as place:
            started = time.monotonic()
            try:
                async with asyncio.timeout(left):
                    answer = await self._exchange(transport, url, validators, place)
            except BaseException:
                # A stranger again, until it answers.
                self._answering.pop(origin, None)
                raise
            self._answering[origin] = None
            return answer, time.monotonic() - started

    async def _exchange(
        self, transport: httpx.AsyncHTTPTransport, url: httpx.URL, validators: Validators, place: Place
    ) -> Fetched | Redirect:
        headers = self._headers | {_CONDITIONS[name]: value for name, value in validators._asdict().items() if value}
        request = httpx.Request("GET", url, headers=headers, extensions={"timeout": self._timeouts})
        response = await transport.handle_async_request(request)
        try:
            stream = response.extensions.get("network_stream")
            if isinstance(stream, Metered):
                stream.open()
            return await read(response, url, validators, place)
        except SourceProblem as problem:
            problem.source_status = response.status_code
            problem.retry_after, problem.host = retry_after(response, self._clock), urls.host(url)
            raise
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close every connection."""
        await self._origins.close()


def _explained(fault: Exception, bounds: Bounds) -> SourceProblem:
    """Return what an exception of the client means to the people behind a source."""
    if isinstance(fault, httpx.TimeoutException):
        connecting = isinstance(fault, httpx.ConnectTimeout)
        return SourceTimeout(f"No {'connection' if connecting else 'answer'} within {bounds.connect_seconds:g} s.")
    for cause in _causes(fault):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return SourceUnreachable(f"The certificate is not valid here: {cause.verify_message}.")
        if isinstance(cause, ssl.SSLError):
            return SourceUnreachable("The connection failed: there is no TLS as the hub speaks it at this port.")
    if isinstance(fault, httpx.RemoteProtocolError):
        return SourceUnreachable("The connection brought something that is not HTTP, or an answer that was cut off.")
    return SourceUnreachable(f"The connection failed ({type(fault).__name__}).")


def _causes(fault: BaseException) -> list[BaseException]:
    found, todo = list[BaseException](), deque([fault])
    while todo:
        one = todo.popleft()
        if one not in found:
            found.append(one)
            todo.extend(cause for cause in (one.__cause__, one.__context__) if cause is not None)
    return found
