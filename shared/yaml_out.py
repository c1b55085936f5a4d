"""Writes YAML in block style from JSON scalars, every string in double quotes.

YAML 1.1 and 1.2 read such a document alike, and writing it costs little more than JSON does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Text = TypeVar("Text", bound="bytes | memoryview")

# JSON allows these in strings as they are; a reader of YAML would take some for line breaks and refuse the others, and
# with them the whole document.
_UNPRINTABLE = [*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF]
_TABLE = {code: f"\\u{code:04x}" for code in _UNPRINTABLE}


def scalar(value: object) -> bytes:
    """Return a string, number, boolean or null in a form that is JSON and YAML of every version."""
    if isinstance(value, float):
        return _number(value)
    encoded = orjson.dumps(value)
    if encoded.isascii() and b"\x7f" not in encoded:
        return encoded
    return encoded.decode().translate(_TABLE).encode()


_name = lru_cache(maxsize=1024)(scalar)  # the same few names stand in every entry


def _number(value: float) -> bytes:
    """Return a float with the point and the signed exponent that YAML 1.1 requires."""
    digits, _, exponent = repr(value).partition("e")
    if "." not in digits:
        digits += ".0"
    return f"{digits}e{int(exponent):+03d}".encode() if exponent else digits.encode()


def flow(value: object) -> bytes:
    """Return a scalar or a list of scalars on one line; line breaks in its strings are escaped."""
    if isinstance(value, list | tuple):
        return b"[" + b", ".join(scalar(item) for item in value) + b"]"
    return scalar(value)


def list_item(mapping: Mapping[str, object]) -> bytes:
    """Return *mapping*, of scalars and lists of scalars, as one item of a block list, with a line feed at its end."""
    lines = [_name(name) + b": " + flow(value) for name, value in mapping.items()]
    return b"- " + b"\n  ".join(lines) + b"\n"


def field(name: str, value: object) -> bytes:
    """Return ``"name": value`` as one line of a block mapping, with a line feed at its end."""
    return scalar(name) + b": " + flow(value) + b"\n"


def listing(name: str, items: Iterable[Text]) -> list[bytes | Text]:
    """Return the parts of a member *name* whose value is the list of *items*, each made by ``list_item``."""
    parts = list(items)
    return [scalar(name) + b":\n", *parts] if parts else [scalar(name) + b": []\n"]
