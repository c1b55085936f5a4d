"""Reading a URL that nobody vouches for: bounded in time and size, from admitted addresses only.

httpx lives here and nowhere else. Its transports are used directly: cookies, proxies, credentials and redirects of a
client are all things that a source must not get.
"""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import httpcore
import httpx

from shared.fetch import urls
from shared.fetch.guard import Guard, GuardedBackend
from shared.problems import (
    SourceNotAnIndex,
    SourceProblem,
    SourceRedirect,
    SourceStatus,
    SourceTimeout,
    SourceTooLarge,
    SourceUnreachable,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_BYTES = 5 * 1024 * 1024
MAX_REDIRECTS = 3
PER_ORIGIN = 4
IN_ALL = 32
_REDIRECTS = {301, 302, 303, 307, 308}
_VALIDATOR_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a source may take."""

    total_seconds: float = 20.0
    connect_seconds: float = 10.0


class Validators(NamedTuple):
    """What makes the next request conditional (RFC 9110 §13.1); empty where the source sent none."""

    etag: str = ""
    last_modified: str = ""


class Fetched(NamedTuple):
    """A source's answer: *body* is None for 304, else the document after decompression."""

    status: int
    body: bytes | None
    validators: Validators


@dataclass(slots=True)
class _Origin:
    transport: httpx.AsyncHTTPTransport
    places: asyncio.Semaphore
    users: int = 0


class Fetcher:
    """Fetches politely: at most 4 connections per origin and 32 fetches at a time."""

    def __init__(self, guard: Guard, user_agent: str, bounds: Bounds | None = None) -> None:
        self._guard = guard
        self._bounds = bounds or Bounds()
        self._backend = GuardedBackend(guard)
        self._tls = ssl.create_default_context()
        self._headers = {"User-Agent": user_agent, "Accept": "application/yaml, application/json;q=0.9, */*;q=0.5"}
        self._headers["Accept-Encoding"] = "gzip"
        self._origins: dict[tuple[str, str, int], _Origin] = {}
        self._places = asyncio.Semaphore(IN_ALL)

    async def fetch(self, url: str, validators: Validators) -> Fetched:
        """Return what *url* answers, following at most 3 redirects; raise a SourceProblem for everything else."""
        try:
            return await self._follow(urls.parse(url), validators)
        except SourceProblem:
            raise
        except TimeoutError as fault:
            raise SourceTimeout(f"No complete answer within {self._bounds.total_seconds:.0f} s.") from fault
        except (httpx.TimeoutException, httpcore.TimeoutException) as fault:
            raise SourceTimeout("The source stopped answering.") from fault
        except Exception as fault:  # one bad source never harms another, whatever the client's libraries raise
            raise SourceUnreachable(f"The connection failed ({type(fault).__name__}).") from fault

    async def _follow(self, url: httpx.URL, validators: Validators) -> Fetched:
        left = self._bounds.total_seconds
        for _ in range(MAX_REDIRECTS + 1):
            self._guard.judge(url)
            fetched, spent = await self._one(url, validators, left)
            left -= spent
            if isinstance(fetched, Fetched):
                return fetched
            url = fetched
        raise SourceRedirect(f"The source redirects more than {MAX_REDIRECTS} times.")

    async def _one(self, url: httpx.URL, validators: Validators, left: float) -> tuple[Fetched | httpx.URL, float]:
        """Ask once, within *left* seconds; return what came and the seconds that took. Waiting for a place is free."""
        origin = self._origin(url)
        origin.users += 1
        try:
            async with origin.places, self._places, asyncio.timeout(left):
                started = time.monotonic()
                fetched = await self._exchange(origin.transport, url, validators)
                return fetched, time.monotonic() - started
        finally:
            origin.users -= 1
            if not origin.users:
                await self._leave(url, origin)

    def _origin(self, url: httpx.URL) -> _Origin:
        key = urls.origin(url)
        if key not in self._origins:
            self._origins[key] = _Origin(self._transport(), asyncio.Semaphore(PER_ORIGIN))
        return self._origins[key]

    def _transport(self) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        # httpx has no public way to choose who opens connections. One small pool per origin: the bookkeeping of a
        # pool grows with its connections.
        transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001
            ssl_context=self._tls,
            max_connections=PER_ORIGIN,
            keepalive_expiry=5,
            network_backend=self._backend,
        )
        return transport

    async def _leave(self, url: httpx.URL, origin: _Origin) -> None:
        if self._origins.pop(urls.origin(url), None) is origin:
            await origin.transport.aclose()

    async def _exchange(
        self, transport: httpx.AsyncHTTPTransport, url: httpx.URL, validators: Validators
    ) -> Fetched | httpx.URL:
        total = self._bounds.total_seconds
        timeouts = {"connect": self._bounds.connect_seconds, "read": total, "write": total, "pool": total}
        headers = self._headers | _conditions(validators)
        request = httpx.Request("GET", url, headers=headers, extensions={"timeout": timeouts})
        response = await transport.handle_async_request(request)
        try:
            if response.status_code in _REDIRECTS:
                return _target(url, response)
            return await _read(response, validators)
        except SourceProblem as problem:
            problem.source_status = response.status_code
            raise
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close every connection."""
        for origin in self._origins.values():
            await origin.transport.aclose()
        self._guard.close()


def _conditions(validators: Validators) -> dict[str, str]:
    named = {"If-None-Match": validators.etag, "If-Modified-Since": validators.last_modified}
    return {name: value for name, value in named.items() if value}


def _target(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location", "")
    try:
        target = urls.parse(str(url.join(location).copy_with(fragment=None)))
    except (urls.UrlRefused, httpx.InvalidURL, ValueError) as fault:
        raise SourceRedirect("The source redirects to something that is not an http(s) URL.") from fault
    if url.scheme == "https" and target.scheme == "http":
        raise SourceRedirect("The source redirects from https to http.")
    return target


async def _read(response: httpx.Response, sent: Validators) -> Fetched:
    if response.status_code == httpx.codes.NOT_MODIFIED and any(sent):
        # A connection is used again only after an answer that was read to its end.
        await anext(response.aiter_raw(), None)
        return Fetched(response.status_code, None, sent)
    if response.status_code != httpx.codes.OK:
        raise SourceStatus(f"The source answered {response.status_code}.")
    if response.headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml")):
        raise SourceNotAnIndex(
            "The source answered with a web page. The hub sends no credentials: publish a raw URL that opens without "
            "signing in."
        )
    body = b"".join([piece async for piece in _bounded(response)])
    return Fetched(response.status_code, body, _validators(response))


async def _bounded(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the document, decompressed; raise SourceTooLarge at the first byte over the bound, sent or unpacked."""
    encoding = response.headers.get("content-encoding", "identity").lower().strip()
    if encoding not in {"identity", "gzip"}:
        raise SourceNotAnIndex("The source answered in a Content-Encoding that was not asked for.")
    unpack = _Gunzip() if encoding == "gzip" else None
    sent = unpacked = 0
    async for raw in response.aiter_raw():
        piece = unpack.feed(raw, MAX_BYTES + 1 - unpacked) if unpack else raw
        sent, unpacked = sent + len(raw), unpacked + len(piece)
        if max(sent, unpacked) > MAX_BYTES:
            raise SourceTooLarge(f"The source sends more than {MAX_BYTES:,} bytes.")
        yield piece
    if unpack and not unpack.whole:
        raise SourceUnreachable("The answer was cut off.")


class _Gunzip:
    """Undoes one layer of gzip (RFC 1952, any number of members), in pieces bounded before they are made."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)

    @property
    def whole(self) -> bool:
        """Whether the last member has come to its end."""
        return self._member.eof

    def feed(self, raw: bytes, most: int) -> bytes:
        """Return what *raw* adds to the document, at most *most* bytes of it; raise zlib.error for what is no gzip."""
        out = b""
        while raw and len(out) < most:
            if self._member.eof:
                self._member = zlib.decompressobj(31)
            out += self._member.decompress(raw, most - len(out))
            raw = self._member.unused_data
        return out


def _validators(response: httpx.Response) -> Validators:
    values = (response.headers.get(name, "") for name in ("etag", "last-modified"))
    return Validators(*(value if _sane(value) else "" for value in values))


def _sane(value: str) -> bool:
    return len(value) <= _VALIDATOR_LENGTH and value.isascii() and value.isprintable()
