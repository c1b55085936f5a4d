"""Strict JSON (RFC 8259): no repeated keys, no NaN, no lone surrogates, no hiding characters, bounded depth."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from shared.characters import hiding, position

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.characters import Refusal

MAX_DEPTH = 20
# An unclosed string matches to the end of the text: else each quote in it would start another search to the end.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_EXACT = 2**53 - 1


class NotStrictJson(ValueError):  # noqa: N818 - a verdict, not a failure
    """The text is not strict JSON; *line* and *column* count from 1, and are None where the place is not known."""

    def __init__(self, detail: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(detail)
        self.line = line
        self.column = column


class NotJson(NotStrictJson):
    """The text is not JSON by the rules of lenient parsers either."""


def parse(content: bytes, refusal_in: Callable[[str], Refusal | None] = hiding) -> Any:  # noqa: ANN401 - JSON not yet checked
    """Return the value of *content*, or raise NotStrictJson; *refusal_in* is called for each key and text in it.

    Integers beyond 2^53 - 1 and numbers that overflow become text, as in the YAML of indexes.
    """
    try:
        text = content.decode("utf-8")
        value = (_exact if _LONG.search(text) else _plain).decode(text)
    except UnicodeDecodeError as fault:
        raise NotJson(f"not UTF-8 at byte {fault.start}") from fault
    except json.JSONDecodeError as fault:
        raise NotJson(f"not JSON: {fault.msg}", *position(text, fault.pos)) from fault
    except RecursionError as fault:
        raise NotStrictJson(f"nested deeper than {MAX_DEPTH}") from fault
    except _NoNumber as fault:
        # Strings are blanked out, in their length, so that the same word in a string before is not found.
        place = _STRING.sub(lambda match: "x" * len(match[0]), text).find(str(fault))
        raise NotStrictJson(f"{fault} is not JSON", *position(text, place)) from fault
    if refusal := _first_refusal(value, refusal_in):
        raise NotStrictJson(f"{refusal.detail} in text", *position(text, _offset(text, refusal.letters)))
    return value


def _offset(text: str, letters: str) -> int:
    """Return the offset of the first *letters* in *text*, literal or escaped (RFC 8259 §7)."""
    match = re.search(r"(?<!\\)(?:\\\\)*(" + "".join(map(_either, letters)) + ")", text, re.IGNORECASE)
    return match.start(1) if match else 0


def _either(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
    return f"(?:{re.escape(letter)}|{escaped})"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        keys: set[str] = set()
        twice = next(key for key, _ in pairs if key in keys or keys.add(key))  # type: ignore[func-returns-value]
        raise NotStrictJson(f"the key {_quoted(twice)} stands twice in one object")
    return mapping


def _quoted(text: str) -> str:
    return json.dumps(text[:100])


class _NoNumber(ValueError):  # noqa: N818 - its text is the name that stands for no number
    """NaN or an infinity, by the name that Python's library reads."""


def _no_constant(name: str) -> None:
    raise _NoNumber(name)


def integer(text: str) -> int | str:
    """Return the integer of the decimal *text*, or *text* itself beyond 2^53 - 1, where other parsers lose digits."""
    if len(text) > 17 or abs(number := int(text)) > _EXACT:  # noqa: PLR2004 - no exact integer is longer
        return text
    return number


def finite(text: str) -> float | str:
    """Return the float of *text*, or *text* itself when it overflows."""
    number = float(text)
    return number if math.isfinite(number) else text


# Without 16 digits in a row no integer is beyond 2^53 - 1: then the library parses them, in a third of the time.
_LONG = re.compile("[0-9]{16}")
_plain = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=finite)
_exact = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=integer, parse_float=finite
)


def _first_refusal(value: object, refusal_in: Callable[[str], Refusal | None]) -> Refusal | None:
    """Return the first refusal in a text of *value*, level by level; raise NotStrictJson deeper than MAX_DEPTH."""
    level: list[Any] = [value]
    depth = 0
    while level:
        below: list[Any] = []
        for item in level:
            # The decoder makes no subclasses, and comparing types is faster than isinstance.
            kind = type(item)
            if kind is str:
                if refusal := refusal_in(item):
                    return refusal
            elif kind is list or kind is dict:
                if depth == MAX_DEPTH:
                    raise NotStrictJson(f"nested deeper than {MAX_DEPTH}")
                if item:
                    below += item
                    below += item.values() if kind is dict else ()
        level, depth = below, depth + 1
    return None
