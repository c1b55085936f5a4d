from __future__ import annotations

from shared.search.query import Wanted


def test_searches_that_ask_the_same_are_equal_and_can_be_looked_up() -> None:
    one, same, other = (Wanted(terms=("a",), filters=(("tag", (tag,)),)) for tag in "xxy")

    assert {one: 1}[same] == 1
    assert one != other
