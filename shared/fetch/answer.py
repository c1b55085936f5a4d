"""Reads the answer of a source: a document within the bounds, a 304, or a redirect; all else is a SourceProblem."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from shared.fetch import urls
from shared.fetch.codings import unpacker
from shared.model.stored_content import Validators, is_validator
from shared.problems import SourceNotAnIndex, SourceRedirect, SourceStatus, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from shared.clock import Clock
    from shared.fetch.lanes import LanePlace

MAX_BYTES = 5 * 1024 * 1024
MAX_PIECES = MAX_BYTES // 20
"""Chunks of a body (RFC 9112 §7.1): one for each line of 20 bytes of the largest document."""
RETRY_AFTER = 30.0, 3600.0
"""The least and the most seconds of a pause that a host asks for."""

# Chunks of a body, and bytes of a gzip, that are read before other tasks of the loop get their turn.
_WITHOUT_PAUSE, _SMALL = 64, 1024
_REDIRECTS = {301, 302, 303, 307, 308}
_NOT_NOW = {429, 503}
_MARKUP = ("text/html", "application/xhtml")
_SIGN_IN = re.compile(r"/(log[_-]?in|sign[_-]?in|sso|oauth2?|saml2?|sessions?/new)(?=[/.?]|$)", re.IGNORECASE)
_NO_CREDENTIALS = "The hub sends no credentials: publish a raw URL that opens without signing in."


class Fetched(NamedTuple):
    """A source's answer: *body* is None for 304, else the document after decompression."""

    status: int
    body: bytes | None
    validators: Validators


class Redirect(NamedTuple):
    """The source's redirect: its status, and the absolute URL of ``Location``."""

    status: int
    url: httpx.URL


async def read(
    response: httpx.Response, url: httpx.URL, validators: Validators, place: LanePlace
) -> Fetched | Redirect:
    """Read *response*, the answer to a request for *url* that was sent with *validators*; report bytes to *place*.

    Raise SourceStatus, SourceRedirect, SourceNotAnIndex, SourceTooLarge or SourceUnreachable (a gzip that is cut off).
    """
    if response.status_code in _REDIRECTS:
        return Redirect(response.status_code, _target(url, response.headers.get("location", "")))
    if response.status_code == 304 and validators.conditions():  # noqa: PLR2004 - Not Modified
        return Fetched(response.status_code, None, validators)
    if response.status_code != 200:  # noqa: PLR2004 - OK
        raise SourceStatus(f"The source answered {response.status_code}.")
    if response.headers.get("content-type", "").lower().startswith(_MARKUP):
        raise SourceNotAnIndex(f"The source answered with a web page. {_NO_CREDENTIALS}")
    return Fetched(response.status_code, await _body(response, place), _validators(response))


def retry_after(response: httpx.Response, clock: Clock) -> float | None:
    """Return the seconds of ``Retry-After`` (RFC 9110 §10.2.3) of a 429 or 503, within RETRY_AFTER; else None."""
    value = response.headers.get("retry-after", "").strip()
    if response.status_code not in _NOT_NOW or not value:
        return None
    least, most = RETRY_AFTER
    return min(max(_seconds(value, response.headers.get("date", ""), clock), least), most)


def _seconds(value: str, date: str, clock: Clock) -> float:
    """Return *value* in seconds; a date is compared with ``Date``, the source's own clock, where that is sent."""
    if value.isascii() and value.isdigit():
        return float(value.lstrip("0")[:9] or 0)
    try:
        return (_moment(value) - (_moment(date) if date else clock.now())).total_seconds()
    except (ValueError, OverflowError):
        # The parser of dates raises OverflowError for numbers that no date has.
        return 0.0


def _moment(date: str) -> datetime:
    """Return *date* as a datetime with a zone; without one it is GMT (RFC 9110 §5.6.7)."""
    moment = parsedate_to_datetime(date)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _target(url: httpx.URL, location: str) -> httpx.URL:
    if not location:
        raise SourceRedirect("The source redirects without saying where: its answer has no Location.")
    try:
        target = urls.join(url, location)
    except urls.UrlRefused as fault:
        raise SourceRedirect(f"The URL that the source redirects to {fault}.") from fault
    if _SIGN_IN.search(target.path) and not _SIGN_IN.search(url.path):
        raise SourceRedirect(f"The source redirects to a page for signing in. {_NO_CREDENTIALS}")
    if url.scheme == "https" and target.scheme == "http":
        raise SourceRedirect("The source redirects from https to http.")
    return target


async def _body(response: httpx.Response, place: LanePlace) -> bytes:
    # A list of chunks would take many times the bytes of a body of tiny ones.
    body = bytearray()
    try:
        async for piece in _bounded(response, place):
            body += piece
        return bytes(body)
    finally:
        # The traceback of a failure, which may be kept for a while, refers to this frame.
        body.clear()


async def _bounded(response: httpx.Response, place: LanePlace) -> AsyncIterator[bytes]:
    """Yield the document, decompressed; raise SourceTooLarge at the first byte over MAX_BYTES, raw or decompressed."""
    _require_announced(response)
    gunzip = unpacker(response.headers.get("content-encoding", ""))
    raw_size = size = pieces = 0
    async for raw in response.aiter_raw():
        # The size of a gzip's content is not known before it is decompressed, so the bound is reserved.
        await place.keep(MAX_BYTES if gunzip else size + len(raw))
        piece = gunzip.feed(raw, MAX_BYTES + 1 - size) if gunzip else raw
        raw_size, size, pieces = raw_size + len(raw), size + len(piece), pieces + 1
        if max(raw_size, size) > MAX_BYTES:
            raise _too_large()
        if pieces > MAX_PIECES:
            raise SourceTooLarge(f"The source sends its document in more than {MAX_PIECES:,} chunks. Send larger ones.")
        place.received += len(raw)
        place.document_bytes = size
        if pieces % _WITHOUT_PAUSE == 0 or (gunzip and len(raw) > _SMALL):
            # Bytes that are in the buffer are read without a wait: thousands of tiny chunks, or 64 KiB of gzip with
            # so many empty members that it takes milliseconds, would hold up every other task.
            await asyncio.sleep(0)
        yield piece
    if gunzip:
        gunzip.finish()


def _require_announced(response: httpx.Response) -> None:
    """Raise SourceTooLarge for a ``Content-Length`` over MAX_BYTES; chunks override it (RFC 9112 §6.3)."""
    announced = response.headers.get("content-length", "")
    if "transfer-encoding" not in response.headers and announced.isdecimal() and int(announced[:19]) > MAX_BYTES:
        raise _too_large()


def _too_large() -> SourceTooLarge:
    return SourceTooLarge(f"The index has more than {MAX_BYTES:,} bytes, as it is sent or unpacked.")


def _validators(response: httpx.Response) -> Validators:
    values = (response.headers.get(name, "") for name in ("etag", "last-modified"))
    return Validators(*(value if is_validator(value) else "" for value in values))
