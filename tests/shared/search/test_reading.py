from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.parameters import cursor_to
from shared.search import reading
from shared.search.query import Position

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (reading.terms, "b A-b", ("b", "a")),
        (reading.terms, "  ", None),
        (reading.terms, "", None),
        (reading.terms, "?!", ()),
        (reading.level("availability"), "A8", ("A8", "A9")),
        (reading.level("availability"), "8", ("A8", "A9")),
        (reading.fields, "id", ("id",)),
        (reading.fields, "id,x-y,id", ("id", "x-y", "id")),
        (reading.position, reading.position_cursor(Position(3, "ours", "a.b")), Position(3, "ours", "a.b")),
        (reading.position, reading.position_cursor(Position(None, "o", "a")), Position(None, "o", "a")),
    ],
)
def test_reads(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (reading.terms, "x" * 201),
        (reading.level("availability"), "D4"),
        (reading.level("availability"), "a4"),
        (reading.level("availability"), "A44"),
        (reading.level("availability"), ""),
        (reading.fields, ""),
        (reading.fields, "id,"),
        (reading.fields, "i d"),
        (reading.fields, ",".join(["x"] * 51)),
        (reading.fields, "x" * 101),
        (reading.position, "xyz"),
        (reading.position, cursor_to("ours")),
        (reading.position, cursor_to("-1 ours a")),
        (reading.position, cursor_to("1 OURS a")),
        (reading.position, cursor_to("1 ours a\n")),
    ],
)
def test_refuses(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        read(text)


def test_there_is_no_cursor_beyond_the_end() -> None:
    assert reading.position_cursor(None) is None
