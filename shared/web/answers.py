"""Responses: JSON bytes, headers that every public answer carries, pages of lists, and validators (RFC 9110 §8.8)."""

from __future__ import annotations

import re
from bisect import bisect_right
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from shared.model.rules import Precondition
from shared.parameters import JSON, cursor_to
from shared.version import VERSION
from shared.web.edge import public_path
from shared.web.query import header_list, pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request

    from shared.web.query import Parameters

OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Retry-After, Reuse-Surface-Serial, Reuse-Surface-Complete",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
"""Headers of every answer: scripts of any origin may read it; no browser guesses its type, runs it or sends a referrer.

A page that may load scripts and styles overrides the policy with BROWSED.
"""

BROWSED = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""Headers of what browsers show: it loads from this hub only, runs no inline script, and is framed nowhere."""

UNCACHED = {"Cache-Control": "no-cache"}
# A copy may be half a minute old while the hub answers, and a day old while it does not (RFC 5861 §4).
CACHED = {"Cache-Control": "public, max-age=30, stale-if-error=86400"}
NOT_IN_304 = frozenset({"Link", "Content-Disposition", "Content-Encoding"})
"""Headers that describe a body; a 304 has no body, and so none of them."""


def answer(content: bytes, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with the body *content* and the headers of OPEN; ``no-cache`` where *headers* are left out."""
    return Response(content, status, {**OPEN, **(headers or UNCACHED)}, media_type)


def versioned(
    request: Request, tag: str, content: bytes, headers: Mapping[str, str], media_type: str = JSON
) -> Response:
    """Return a cacheable 200 with *content*, or a 304 where ``If-None-Match`` names *tag*, the ETag of *content*.

    *headers* stand in both, and override OPEN and CACHED.
    """
    not_changed = unchanged(request, tag, headers)
    return not_changed or Response(content, 200, {**OPEN, **CACHED, **headers, "ETag": tag}, media_type)


def unchanged(request: Request, tag: str, headers: Mapping[str, str]) -> Response | None:
    """Return a 304 where ``If-None-Match`` names *tag*, else None.

    A handler calls it before it makes a body that costs much. The 304 has those of *headers* that do not describe a
    body (RFC 9110 §15.4.5).
    """
    if not not_modified(request, tag):
        return None
    fields = {name: value for name, value in headers.items() if name not in NOT_IN_304}
    return Response(status_code=304, headers={**OPEN, **CACHED, **fields, "ETag": tag})


def tag_of(*parts: object) -> str:
    """Return the strong entity tag (RFC 9110 §8.8.3) of an answer that follows from *parts* and the hub's version.

    *parts* are values whose ``repr`` is the same in every process, such as texts and numbers.
    """
    return f'"{sha256(repr((VERSION, parts)).encode()).hexdigest()[:32]}"'


def tag_of_body(body: bytes) -> str:
    """Return the strong entity tag of *body*, hashed as it is: a fifth of the time of ``tag_of`` for a large one."""
    return f'"{sha256(VERSION.encode() + body).hexdigest()[:32]}"'


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with *body* as JSON, uncached unless *headers* say otherwise; dataclasses become objects."""
    return answer(orjson.dumps(body), JSON, status, {**UNCACHED, **(headers or {})})


def page(
    request: Request, parameters: Parameters, name: str, rows: Sequence[Any], key: Callable[[Any], str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Cut one page out of *rows*, which are sorted by *key*, as the parameters ``limit`` and ``cursor`` ask.

    Return the body ``{name: rows, "total": int, "next": str | None}``, and the headers: ``Link`` (RFC 8288) to the next
    page where there is one, else none.
    """
    after = parameters.get("cursor", "")
    # A binary search: some twenty calls of *key* for a million rows, so that a late page costs no more than the first.
    start = bisect_right(rows, after, key=key)
    part = rows[start : start + parameters["limit"]]
    body = {name: part, "total": len(rows), "next": None}
    if start + len(part) == len(rows):
        return body, {}
    body["next"] = cursor_to(key(part[-1]))
    return body, {"Link": f"<{next_page(request, str(body['next']))}>; rel=\"next\""}


def next_page(request: Request, cursor: str) -> str:
    """Return path and query of the page of the same list at *cursor*; the path begins with that of the public URL."""
    query = dict(pairs(request)) | {"cursor": cursor}
    return f"{public_path(request)}{request.url.path}?{urlencode(query)}"


_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def tags(header: str) -> list[tuple[bool, str]]:
    """Return the entity tags of a conditional header as (weak, tag); ``*`` is a tag of its own (RFC 9110 §13.1)."""
    if header.strip() == "*":
        return [(False, "*")]
    return [(bool(match[1]), match[2]) for match in _TAG.finditer(header)]


def if_match(request: Request) -> Precondition | None:
    """Return the precondition of ``If-Match``, its lines read as one list, or None where the header is absent.

    Tags are compared strongly (RFC 9110 §13.1.1), so that a weak one never matches.
    """
    lines = request.headers.getlist("if-match")
    if not lines:
        return None
    strong = frozenset(tag for weak, tag in tags(",".join(lines)) if not weak)
    return Precondition(strong - {"*"}, exist="*" in strong)


def not_modified(request: Request, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names *etag* or ``*``; tags are compared weakly (RFC 9110 §13.1.2)."""
    return any(tag in {"*", etag} for _, tag in tags(header_list(request, "if-none-match")))
