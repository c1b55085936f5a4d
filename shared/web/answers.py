"""How the hub answers: JSON bytes, the headers that every public answer carries, pages of lists, validators."""

from __future__ import annotations

import re
from bisect import bisect_right
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson
from starlette.responses import Response

from shared.model.rules import Precondition
from shared.version import VERSION
from shared.web.edge import public_path
from shared.web.parameters import cursor_to
from shared.web.query import JSON, header_list, pairs

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
"""Anyone may read what the hub says, from anywhere; no browser should guess its type, run it or tell where it was.

A page that needs more says so itself.
"""

BROWSED = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""What a browser may do with anything it shows: load from here, run nothing written into a page, be framed nowhere."""

UNCACHED = {"Cache-Control": "no-cache"}
KEPT = {"Cache-Control": "public, max-age=30, stale-if-error=86400"}
NOT_IN_304 = frozenset({"Link", "Content-Disposition", "Content-Encoding"})
"""Headers of a body, which a 304 has none of."""


def answer(content: bytes, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return *content* as it is."""
    return Response(content, status, {**OPEN, **(headers or UNCACHED)}, media_type)


def versioned(
    request: Request, tag: str, content: bytes, headers: Mapping[str, str], media_type: str = JSON
) -> Response:
    """Return *content*, which may be kept for a while, or 304 where the caller has what *tag* stands for.

    *headers* stand in both, and come before the usual ones.
    """
    copy = unchanged(request, tag, headers)
    return copy or Response(content, 200, {**OPEN, **KEPT, **headers, "ETag": tag}, media_type)


def unchanged(request: Request, tag: str, headers: Mapping[str, str]) -> Response | None:
    """Return the 304 where the caller has what *tag* stands for, else None: for what takes long to make.

    It has those of *headers* that do not tell of a body (RFC 9110 §15.4.5).
    """
    if not not_modified(request, tag):
        return None
    kept = {name: value for name, value in headers.items() if name not in NOT_IN_304}
    return Response(status_code=304, headers={**OPEN, **KEPT, **kept, "ETag": tag})


def tag_of(*parts: object) -> str:
    """Return the strong entity tag (RFC 9110 §8.8.3) of an answer that *parts*, plain values, determine."""
    return f'"{sha256(repr((VERSION, parts)).encode()).hexdigest()[:32]}"'


def tag_of_body(body: bytes) -> str:
    """Return the strong entity tag of *body*; of a large one it costs a fifth of what ``tag_of`` does."""
    return f'"{sha256(VERSION.encode() + body).hexdigest()[:32]}"'


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return *body* as JSON; dataclasses become objects."""
    return answer(orjson.dumps(body), JSON, status, {**UNCACHED, **(headers or {})})


def page(
    request: Request, parameters: Parameters, name: str, rows: Sequence[Any], key: Callable[[Any], str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Cut the page that *parameters* (``limit``, ``cursor``) wants from *rows*, which are in the order of *key*.

    Return the body ``{name: rows, "total", "next"}`` and the ``Link`` header to the next page, if there is one.
    """
    after = parameters.get("cursor", "")
    # Some twenty keys are asked for, of however many rows: a page costs a page.
    start = bisect_right(rows, after, key=key)
    shown = rows[start : start + parameters["limit"]]
    body = {name: shown, "total": len(rows), "next": None}
    if start + len(shown) == len(rows):
        return body, {}
    body["next"] = cursor_to(key(shown[-1]))
    return body, {"Link": f"<{next_page(request, str(body['next']))}>; rel=\"next\""}


def next_page(request: Request, cursor: str) -> str:
    """Return the path, beneath that of the public URL, and the query of the page at *cursor* of the same list."""
    query = dict(pairs(request)) | {"cursor": cursor}
    return f"{public_path(request)}{request.url.path}?{urlencode(query)}"


_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def tags(header: str) -> list[tuple[bool, str]]:
    """Return the entity tags of a conditional header as (weak, tag); ``*`` is a tag of its own (RFC 9110 §13.1)."""
    if header.strip() == "*":
        return [(False, "*")]
    return [(bool(found[1]), found[2]) for found in _TAG.finditer(header)]


def if_match(request: Request) -> Precondition | None:
    """Return what ``If-Match`` demands, all its lines as one, or None where it was not sent.

    Tags are compared strongly (RFC 9110 §13.1.1), so that a weak one stands for nothing.
    """
    lines = request.headers.getlist("if-match")
    if not lines:
        return None
    strong = frozenset(tag for weak, tag in tags(",".join(lines)) if not weak)
    return Precondition(strong - {"*"}, exist="*" in strong)


def not_modified(request: Request, etag: str) -> bool:
    """Tell whether ``If-None-Match`` names *etag*, compared weakly as RFC 9110 §13.1.2 asks."""
    return any(tag in {"*", etag} for _, tag in tags(header_list(request, "if-none-match")))
