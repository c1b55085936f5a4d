from __future__ import annotations

from shared.federation.lines import Delta, Line
from shared.pages.recent import MOST_TURNS, recent


def line(serial: int, **capabilities: dict[str, bool]) -> Line:
    return Line.of(serial, "", Delta(sources={"a": True}, capabilities=capabilities))


def test_tells_what_came_and_went_the_newest_first() -> None:
    lines = [line(1, a={"x": True, "y": True}), line(2, b={"a": True}), line(3, a={"x": False, "z": True}), line(4)]

    assert recent(lines, "a") == [(3, 3, ["z"], ["x"]), (1, 1, ["x", "y"], [])]
    assert recent(lines, "c") == []


def test_goes_no_further_back_than_it_shows() -> None:
    lines = [line(number, a={"x": True}) for number in range(20)]

    assert [turn.serial for turn in recent(lines, "a")] == list(range(19, 19 - MOST_TURNS, -1))


def test_serials_that_are_told_together_are_one_turn() -> None:
    together = Line.joined([line(1, a={"x": True, "y": True}), line(2, a={"x": False})])

    assert recent([together, line(3, b={"x": True})], "a") == [(1, 2, ["y"], ["x"])]
