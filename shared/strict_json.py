"""JSON as RFC 8259 means it: no repeated keys, no NaN, no lone surrogates, nothing that hides text, bounded depth."""

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
# A string that is not closed goes on to the end: else its time would be lost, and every quote in it tried anew.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_EXACT = 2**53 - 1


class NotStrictJson(ValueError):  # noqa: N818 - a verdict, not a failure
    """The text is not strict JSON; *line* and *column* count from 1 where the place is known."""

    def __init__(self, detail: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(detail)
        self.line = line
        self.column = column


class NotJson(NotStrictJson):
    """The text is not JSON by anybody's rules."""


def parse(content: bytes, refused: Callable[[str], Refusal | None] = hiding) -> Any:  # noqa: ANN401 - JSON not yet checked
    """Return the value that *content* holds, or raise NotStrictJson; *refused* judges each key and text in it.

    Integers beyond 2^53 - 1 and numbers that overflow stay text, as in the indexes' YAML.
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
        # What stands in quotes is text, and of the same length when it is covered.
        place = _STRING.sub(lambda found: "x" * len(found[0]), text).find(str(fault))
        raise NotStrictJson(f"{fault} is not JSON", *position(text, place)) from fault
    if refusal := _judged(value, refused):
        raise NotStrictJson(f"{refusal.detail} in text", *position(text, _offset(text, refusal.letters)))
    return value


def _offset(text: str, letters: str) -> int:
    """Return where *letters* stand in *text* for the first time, as they are or escaped (RFC 8259 §7)."""
    found = re.search(r"(?<!\\)(?:\\\\)*(" + "".join(map(_either, letters)) + ")", text, re.IGNORECASE)
    return found.start(1) if found else 0


def _either(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
    return f"(?:{re.escape(letter)}|{escaped})"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise NotStrictJson(f"the key {_shown(twice)} stands twice in one object")
    return made


def _shown(text: str) -> str:
    return json.dumps(text[:100])


class _NoNumber(ValueError):  # noqa: N818 - its text is the name that stands for no number
    """NaN or an infinity, by the name that Python's library reads."""


def _no_constant(name: str) -> None:
    raise _NoNumber(name)


def integer(text: str) -> int | str:
    """Return the decimal integer *text* stands for, or *text* itself where others could not read it exactly."""
    if len(text) > 17 or abs(number := int(text)) > _EXACT:  # noqa: PLR2004 - no exact integer is longer
        return text
    return number


def finite(text: str) -> float | str:
    """Return the float *text* stands for, or *text* itself when it overflows."""
    number = float(text)
    return number if math.isfinite(number) else text


# Without a long row of digits no integer can be beyond 2^53 - 1: then the library makes them, at a third of the cost.
_LONG = re.compile("[0-9]{16}")
_plain = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant, parse_float=finite)
_exact = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_no_constant, parse_int=integer, parse_float=finite
)


def _judged(value: object, refused: Callable[[str], Refusal | None]) -> Refusal | None:
    """Walk *value* level by level, and return what is refused in a text of it; raise NotStrictJson for great depth."""
    level: list[Any] = [value]
    depth = 0
    while level:
        below: list[Any] = []
        for one in level:
            # The decoder makes nothing of a class that is derived from these.
            kind = type(one)
            if kind is str:
                if refusal := refused(one):
                    return refusal
            elif kind is list or kind is dict:
                if depth == MAX_DEPTH:
                    raise NotStrictJson(f"nested deeper than {MAX_DEPTH}")
                if one:
                    below += one
                    below += one.values() if kind is dict else ()
        level, depth = below, depth + 1
    return None
