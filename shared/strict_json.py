"""JSON as RFC 8259 means it: no repeated keys, no NaN, no lone surrogates, bounded depth."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 20
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Characters that no document may hold: controls other than tab and line breaks, lone surrogates, non-characters."""

SURROGATE = re.compile("[\ud800-\udfff]")
"""Halves of a character, which no UTF-8 can hold (RFC 8259 §8.2)."""

_EXACT = 2**53 - 1


class NotStrictJson(ValueError):  # noqa: N818 - a verdict, not a failure
    """The text is not strict JSON; *line* and *column* count from 1 where the place is known."""

    def __init__(self, detail: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(detail)
        self.line = line
        self.column = column


def parse(content: bytes, forbidden: re.Pattern[str] = SURROGATE) -> Any:  # noqa: ANN401 - JSON not yet checked
    """Return the value that *content* holds, or raise NotStrictJson; no text in it matches *forbidden*.

    Integers beyond 2^53 - 1 and numbers that overflow stay text, as in the indexes' YAML.
    """
    try:
        value = _decoder.decode(content.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise NotStrictJson(f"not UTF-8 at byte {fault.start}") from fault
    except json.JSONDecodeError as fault:
        raise NotStrictJson(f"not JSON: {fault.msg}", fault.lineno, fault.colno) from fault
    except RecursionError as fault:
        raise NotStrictJson(f"nested deeper than {MAX_DEPTH}") from fault
    _prove(value, forbidden)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotStrictJson(f"the key {_shown(twice)} stands twice in one object")
    return made


def _shown(text: str) -> str:
    return json.dumps(text[:100])


def _no_constant(name: str) -> None:
    raise NotStrictJson(f"{name} is not JSON")


def integer(text: str) -> int | str:
    """Return the decimal integer *text* stands for, or *text* itself where others could not read it exactly."""
    if len(text) > 17 or abs(number := int(text)) > _EXACT:  # noqa: PLR2004 - no exact integer is longer
        return text
    return number


def finite(text: str) -> float | str:
    """Return the float *text* stands for, or *text* itself when it overflows."""
    number = float(text)
    return number if math.isfinite(number) else text


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=integer, parse_float=finite
)


def _prove(value: object, forbidden: re.Pattern[str]) -> None:
    """Walk *value* level by level; raise NotStrictJson for what lies too deep or can't be written again."""
    level, depth = [value], 0
    while level:
        below: list[object] = []
        for one in level:
            if isinstance(one, str):
                _prove_text(one, forbidden)
            elif isinstance(one, list | dict):
                if depth == MAX_DEPTH:
                    raise NotStrictJson(f"nested deeper than {MAX_DEPTH}")
                below += one
                below += one.values() if isinstance(one, dict) else ()
        level, depth = below, depth + 1


def _prove_text(text: str, forbidden: re.Pattern[str]) -> None:
    if found := forbidden.search(text):
        raise NotStrictJson(f"the character U+{ord(found[0]):04X} is not allowed in text")
