"""Readers of query parameters: from text to value, each with the JSON Schema that the OpenAPI document shows.

What composes and searches uses them too, so nothing here knows a request; ``shared.web.query`` reads one with them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from shared.characters import hiding

Readers = Mapping[str, Callable[[str], object]]
MOST_TEXT = 200

JSON = "application/json"
YAML = "application/yaml"
HTML = "text/html"

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class ParameterReader(Generic[Value]):
    """Turns the text of one parameter into its value; raises ValueError that says what the value must be.

    *schema* is the JSON Schema of the texts that it takes. *default* is the value of an absent parameter, None for no
    value. *required* is empty, or the meaning of the parameter, which is said to a caller who leaves it out.
    """

    read: Callable[[str], Value]
    schema: Mapping[str, Any]
    default: object = None
    required: str = ""

    def __call__(self, text: str) -> Value:
        """Return the value of *text*, or raise ValueError such as ``must be a whole number from 1 to 1000``."""
        return self.read(text)

    def otherwise(self, *, default: object) -> ParameterReader[Value]:
        """Return a copy of this reader whose parameter is *default* when a request leaves it out."""
        return replace(self, default=default)

    def needed(self, meaning: str) -> ParameterReader[Value]:
        """Return a copy of this reader for a required parameter; a request without it is told its *meaning*."""
        return replace(self, required=meaning)


def one_of(*values: str) -> ParameterReader[str]:
    """Return a reader that takes exactly *values*, and upper and lower case as different."""

    def read(text: str) -> str:
        if text not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return text

    return ParameterReader(read, {"type": "string", "enum": list(values)})


flag: ParameterReader[bool] = ParameterReader(lambda text: one_of("true", "false")(text) == "true", {"type": "boolean"})
"""Reads ``true`` or ``false``."""


def whole(least: int, most: int) -> ParameterReader[int]:
    """Return a reader of decimal whole numbers from *least* to *most*, without sign or blanks."""

    def read(text: str) -> int:
        # int() alone takes signs, blanks, underscores and the digits of other scripts.
        if not re.fullmatch("[0-9]{1,16}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return ParameterReader(read, {"type": "integer", "minimum": least, "maximum": most})


def matching(pattern: str, must: str) -> ParameterReader[str]:
    """Return a reader of texts that *pattern* matches as a whole; *must* is the message for any other text."""

    def read(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(must)
        return text

    return ParameterReader(read, {"type": "string", "pattern": f"^{pattern}$"})


slug = matching("[a-z0-9][a-z0-9._-]{0,99}", "must be a slug: lower-case letters, digits, dot, underscore, hyphen")
"""Reads the name of a repo or domain."""


def _short(text: str) -> str:
    if not 1 <= len(text) <= MOST_TEXT:
        raise ValueError(f"must be 1 to {MOST_TEXT} characters long")
    if refusal := hiding(text):
        raise ValueError(f"must be text that can be seen: at character {refusal.offset + 1}, {refusal.detail}")
    return text


short: ParameterReader[str] = ParameterReader(_short, {"type": "string", "minLength": 1, "maxLength": MOST_TEXT})
"""Reads a text of 1 to 200 characters, none of them one that hides or reorders text."""


def cursor(text: str) -> str:
    """Return the position in a cursor that a list gave as ``next``, or raise ValueError for any other text."""
    try:
        position = base64.urlsafe_b64decode(text.encode("ascii")).decode("utf-8")
    except (binascii.Error, UnicodeError):
        position = ""
    # The decoder skips what is not of its alphabet: only what this hub would write is a cursor.
    if not position or cursor_to(position) != text:
        raise ValueError("must be the next of an earlier page, as it was given")
    return position


def cursor_to(position: str) -> str:
    """Return the opaque cursor for *position*, the key of the last row of a page: URL-safe Base64 of its UTF-8."""
    return base64.urlsafe_b64encode(position.encode()).decode("ascii")
