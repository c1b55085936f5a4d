"""What a request asks for: its query parameters, each known and well formed, and a media type on offer."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, NoReturn

from shared.characters import hiding
from shared.problems import BadQuery, NotAcceptable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

JSON = "application/json"
YAML = "application/yaml"
HTML = "text/html"
MOST_TEXT = 200
_FORMATS = {"json": JSON, "yaml": YAML}
_ALIASES = {"application/x-yaml": YAML, "text/yaml": YAML, "text/x-yaml": YAML, "x-gzip": "gzip"}


class Asked(dict[str, Any]):
    """The parameters that were given, parsed, and the media type to answer with."""

    media_type: str = JSON


def read_query(request: Request, offers: Sequence[str] = (JSON,), **known: Callable[[str], object]) -> Asked:
    """Return what *request* asks for; *known* maps each parameter to the function that reads it.

    Raise BadQuery for an unknown, repeated or bad parameter, and NotAcceptable when ``Accept`` admits none of *offers*.
    A reader raises ValueError with what the value must be. Where YAML is on offer ``?format=`` outranks ``Accept``.
    """
    asked = Asked()
    if YAML in offers:
        known["format"] = one_of(*_FORMATS)
    for name, text in request.query_params.multi_items():
        if name not in known:
            _refuse(f"{name!r} is not a parameter of this endpoint; it takes {', '.join(sorted(known)) or 'none'}.")
        if name in asked:
            _refuse(f"{name!r} is given twice.")
        asked[name] = _read(name, text, known[name])
    asked.media_type = _FORMATS[asked["format"]] if "format" in asked else _acceptable(request, offers)
    return asked


def _refuse(detail: str) -> NoReturn:
    raise BadQuery(detail[:500])


def _read(name: str, text: str, read: Callable[[str], object]) -> object:
    try:
        return read(text)
    except ValueError as fault:
        raise BadQuery(f"{name} {fault}.") from fault


def one_of(*values: str) -> Callable[[str], str]:
    """Return a reader that takes these values only."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return text

    return read


def flag(text: str) -> bool:
    """Read ``true`` or ``false``."""
    return one_of("true", "false")(text) == "true"


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers within bounds."""

    def read(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def slug(text: str) -> str:
    """Read the name of a repo or domain."""
    if not re.fullmatch("[a-z0-9][a-z0-9._-]{0,99}", text):
        raise ValueError("must be a slug: lower-case letters, digits, dot, underscore, hyphen")
    return text


def short(text: str) -> str:
    """Read a text of 1 to 200 characters, none of them one that hides or reorders text."""
    if not 1 <= len(text) <= MOST_TEXT:
        raise ValueError(f"must be 1 to {MOST_TEXT} characters long")
    if refusal := hiding(text):
        raise ValueError(f"must be text that can be seen: at character {refusal.offset + 1}, {refusal.detail}")
    return text


def cursor(text: str) -> str:
    """Read a cursor that a list handed out as ``next``."""
    try:
        position = base64.urlsafe_b64decode(text.encode("ascii")).decode("utf-8")
    except (binascii.Error, UnicodeError):
        position = ""
    # The decoder skips what is not of its alphabet: only what this hub would write is a cursor.
    if not position or cursor_to(position) != text:
        raise ValueError("must be the next of an earlier page, as it was given")
    return position


def cursor_to(position: str) -> str:
    """Return the opaque cursor for *position*."""
    return base64.urlsafe_b64encode(position.encode()).decode("ascii")


def _acceptable(request: Request, offers: Sequence[str]) -> str:
    """Choose from *offers* by ``Accept`` (RFC 9110 §12.5.1); the earlier offer wins a tie."""
    header = ",".join(request.headers.getlist("accept")).strip()
    if not header:
        return offers[0]
    wishes = weights(header)
    best = max(offers, key=lambda offer: _weight(wishes, offer))
    if _weight(wishes, best) <= 0:
        raise NotAcceptable(f"This endpoint offers {', '.join(offers)}.")
    return best


def coding(request: Request, offers: Sequence[str]) -> str:
    """Choose from *offers*, the best first, by ``Accept-Encoding`` (RFC 9110 §12.5.3); raise NotAcceptable.

    No coding at all is always on offer, and chosen where nothing else is asked for.
    """
    wishes = weights(",".join(request.headers.getlist("accept-encoding")))
    # An asterisk stands for what every reader knows, which the newer codings are not.
    wishes.setdefault("gzip", wishes.get("*", 0.0))
    wishes.setdefault("identity", 0.0 if wishes.get("*") == 0 else _LEAST)
    best = max((*offers, "identity"), key=lambda offer: wishes.get(offer, 0.0))
    if wishes.get(best, 0.0) <= 0:
        raise NotAcceptable(f"This endpoint offers the content codings {', '.join(offers)} and none at all.")
    return best


def weights(header: str) -> dict[str, float]:
    """Return each choice of an ``Accept``-like header with its weight; a malformed weight counts as 0."""
    wishes: dict[str, float] = {}
    for part in header.lower().split(","):
        name, _, parameters = part.partition(";")
        found = re.search(r"(?:^|;)\s*q\s*=\s*([^;\s]*)", parameters)
        name = _ALIASES.get(name.strip(), name.strip())
        # Two names of one thing may come with two weights; the better one is the caller's wish.
        wishes[name] = max(wishes.get(name, 0.0), _quality(found[1]) if found else 1.0)
    return wishes


def _quality(text: str) -> float:
    return float(text) if re.fullmatch(r"(0(\.[0-9]{0,3})?|1(\.0{0,3})?)", text) else 0.0


_LEAST = 0.0001
"""Less than any weight that a caller can write."""


def _weight(wishes: dict[str, float], offer: str) -> float:
    major = offer.partition("/")[0]
    for name in (offer, f"{major}/*", "*/*"):
        if name in wishes:
            return wishes[name]
    return 0.0
