"""Checks records that were read from disk: each value has to be of the type that its field has.

What the hub wrote fits. What a person or a program put into a data directory, or into a backup with the right sums,
must come to light when it is read, and not later, when a reader asks for it or a write is to change it.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

    Fits = Callable[[Any], bool]

Record = TypeVar("Record")

MOST = 2**53
"""Numbers stay below this, up to which every reader of JSON knows whole ones (RFC 8259 §6)."""

_MOMENTS = ("at", "since", "until")


def fitting(record: Record) -> Record:
    """Return *record*, a dataclass or a named tuple, or raise ValueError naming the first field that does not fit.

    Whole numbers are not negative, and text in a field called ``at``, ``since`` or ``until``, alone or at the end of
    the name, is a moment (RFC 3339), or empty where older versions did not write it.
    """
    kind: type = type(record)
    for name, fits in _fields(kind):
        if not fits(getattr(record, name)):
            raise ValueError(f"{kind.__name__}.{name}")
    return record


def is_moment(value: object) -> bool:
    """Tell whether *value* is text that names a moment with its offset from UTC."""
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


# Cached, because a start asks for each of thousands of records, and type hints are evaluated anew each time.
@cache
def _fields(kind: type) -> tuple[tuple[str, Fits], ...]:
    return tuple((name, _test(name, hint)) for name, hint in get_type_hints(kind).items())


def _test(name: str, hint: Any) -> Fits:  # noqa: ANN401 - any type that a field may have
    """Return the test whether a value fits a field called *name* of the type *hint*."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        tests = [_test(name, option) for option in inner]
        return lambda value: any(fits(value) for fits in tests)
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in inner
    if origin is tuple:
        each = _test("", inner[0])
        return lambda value: isinstance(value, tuple) and all(map(each, value))
    if is_dataclass(hint) or hasattr(hint, "_fields"):
        return lambda value: isinstance(value, hint) and all(fits(getattr(value, key)) for key, fits in _fields(hint))
    if hint is str and name.rpartition("_")[2] in _MOMENTS:
        return lambda value: is_moment(value) or (value == "" and name == "registered_at")
    return _PLAIN.get(hint) or (lambda value: isinstance(value, origin or hint))


def _is_count(value: object) -> bool:
    # By ``type``: True is an instance of int.
    return type(value) is int and 0 <= value < MOST


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and -MOST < value < MOST  # type: ignore[operator]  # it is a number by then


_PLAIN: dict[Any, Fits] = {
    int: _is_count,
    float: _is_number,
    bool: lambda value: type(value) is bool,
    NoneType: lambda value: value is None,
}
