"""What a source may answer: a document within the bounds, "unchanged", or a redirect; all else is a SourceProblem."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

from shared.fetch import urls
from shared.fetch.codings import unpacker
from shared.model.kept import Validators, is_validator
from shared.problems import SourceNotAnIndex, SourceRedirect, SourceStatus, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from shared.clock import Clock
    from shared.fetch.lanes import LanePlace

MAX_BYTES = 5 * 1024 * 1024
MAX_PIECES = MAX_BYTES // 20
"""Pieces (chunks) that a body may come in: one for each line of 20 bytes of the largest document."""
RETRY_AFTER = 30.0, 3600.0
"""The least and the most seconds for which a host is left alone when it asks for it."""

_WITHOUT_PAUSE, _SMALL = 64, 1024  # pieces of a body, and bytes of a gzip, that are read without letting others act
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
    """Where the source says that its document lies."""

    status: int
    url: httpx.URL


async def read(response: httpx.Response, url: httpx.URL, sent: Validators, place: LanePlace) -> Fetched | Redirect:
    """Return what the *response* to a request for *url* with the validators *sent* says; *place* hears of progress."""
    if response.status_code in _REDIRECTS:
        return Redirect(response.status_code, _target(url, response.headers.get("location", "")))
    if response.status_code == 304 and sent.conditions():  # noqa: PLR2004 - Not Modified
        return Fetched(response.status_code, None, sent)
    if response.status_code != 200:  # noqa: PLR2004 - OK
        raise SourceStatus(f"The source answered {response.status_code}.")
    if response.headers.get("content-type", "").lower().startswith(_MARKUP):
        raise SourceNotAnIndex(f"The source answered with a web page. {_NO_CREDENTIALS}")
    return Fetched(response.status_code, await _body(response, place), _validators(response))


def retry_after(response: httpx.Response, clock: Clock) -> float | None:
    """Return for how many seconds the source asks to be left alone (RFC 9110 §10.2.3), clamped; None if it does not."""
    value = response.headers.get("retry-after", "").strip()
    if response.status_code not in _NOT_NOW or not value:
        return None
    least, most = RETRY_AFTER
    return min(max(_seconds(value, response.headers.get("date", ""), clock), least), most)


def _seconds(value: str, date: str, clock: Clock) -> float:
    """Return the seconds that *value* means. A date is compared with the source's own clock, where it tells that."""
    if value.isascii() and value.isdigit():
        return float(value.lstrip("0")[:9] or 0)
    try:
        return (_moment(value) - (_moment(date) if date else clock.now())).total_seconds()
    except (ValueError, OverflowError):
        # OverflowError is what a number of more digits than any date has comes to.
        return 0.0


def _moment(date: str) -> datetime:
    """Return the moment that *date* is; one without a zone is GMT (RFC 9110 §5.6.7)."""
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
    # Not a list of pieces: a body of tiny chunks would take many times its bytes.
    body = bytearray()
    try:
        async for piece in _bounded(response, place):
            body += piece
        return bytes(body)
    finally:
        # A failure, which may live on for a while, holds this frame.
        body.clear()


async def _bounded(response: httpx.Response, place: LanePlace) -> AsyncIterator[bytes]:
    """Yield the document, decompressed; raise SourceTooLarge at the first byte over the bound, sent or unpacked."""
    _require_announced(response)
    gunzip = unpacker(response.headers.get("content-encoding", ""))
    sent = unpacked = pieces = 0
    async for raw in response.aiter_raw():
        # What a gzip comes to is known only when it is there.
        await place.keep(MAX_BYTES if gunzip else unpacked + len(raw))
        piece = gunzip.feed(raw, MAX_BYTES + 1 - unpacked) if gunzip else raw
        sent, unpacked, pieces = sent + len(raw), unpacked + len(piece), pieces + 1
        if max(sent, unpacked) > MAX_BYTES:
            raise _too_large()
        if pieces > MAX_PIECES:
            raise SourceTooLarge(f"The source sends its document in more than {MAX_PIECES:,} chunks. Send larger ones.")
        place.received += len(raw)
        place.kept = unpacked
        if pieces % _WITHOUT_PAUSE == 0 or (gunzip and len(raw) > _SMALL):
            # What has come already is read without ever waiting for the network: tiny chunks, or a gzip of so many
            # empty members that undoing 64 KiB of it takes milliseconds.
            await asyncio.sleep(0)
        yield piece
    if gunzip:
        gunzip.finish()


def _require_announced(response: httpx.Response) -> None:
    """Raise SourceTooLarge if the length that is announced is too much. Chunks override it (RFC 9112 §6.3)."""
    announced = response.headers.get("content-length", "")
    if "transfer-encoding" not in response.headers and announced.isdecimal() and int(announced[:19]) > MAX_BYTES:
        raise _too_large()


def _too_large() -> SourceTooLarge:
    return SourceTooLarge(f"The index has more than {MAX_BYTES:,} bytes, as it is sent or unpacked.")


def _validators(response: httpx.Response) -> Validators:
    values = (response.headers.get(name, "") for name in ("etag", "last-modified"))
    return Validators(*(value if is_validator(value) else "" for value in values))
