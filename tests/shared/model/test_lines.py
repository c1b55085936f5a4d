from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from shared.model.compose import compose
from shared.model.lines import ChangeLine, Delta, union
from tests.builders import capability
from tests.shared.sharing import LATER, part

if TYPE_CHECKING:
    from shared.model.compose import Part

ONE, TWO, THREE = (capability(number)["id"] for number in (1, 2, 3))


def between(before: list[Part], after: list[Part]) -> Delta:
    return Delta.between(compose(before), compose(after))


def test_nothing_changes_between_the_same() -> None:
    assert between([part("a", capability(1))], [part("a", capability(1))]) == Delta()


@pytest.mark.parametrize(
    ("before", "after", "sources", "capabilities"),
    [
        pytest.param([], [part("a", capability(1))], {"a": True}, {"a": {ONE: True}}, id="a new source"),
        pytest.param([part("a", capability(1))], [], {"a": False}, {"a": {ONE: False}}, id="a source that went"),
        pytest.param([part("a")], [part("a", state="stale")], {"a": True}, {}, id="a state"),
        pytest.param(
            [part("a", capability(1), capability(2))],
            [part("a", capability(2, name="Other"), capability(3))],
            {"a": True},
            {"a": {ONE: False, TWO: True, THREE: True}},
            id="entries that went, changed and came",
        ),
        pytest.param(
            [part("a", capability(1)), part("b", capability(1), at=LATER)],
            [part("a", state="failed"), part("b", capability(1), at=LATER)],
            {"a": True, "b": True},
            {"a": {ONE: False}, "b": {ONE: True}},
            id="an id that another repo serves now",
        ),
        pytest.param(
            [part("b", capability(1), capability(2), at=LATER)],
            [part("a", capability(1)), part("b", capability(1), capability(2), at=LATER)],
            {"a": True, "b": True},
            {"a": {ONE: True}, "b": {ONE: False}},
            id="an id that an earlier repo claims now",
        ),
        pytest.param(
            [part("a", capability(1)), part("b", capability(1), at=LATER)],
            [part("a", capability(1, name="Other")), part("b", capability(1), at=LATER)],
            {"a": True},
            {"a": {ONE: True}},
            id="a change in what won already",
        ),
        pytest.param(
            [part("a", capability(1))], [part("a", state="disabled")], {"a": False}, {"a": {ONE: False}}, id="disabled"
        ),
    ],
)
def test_tells_what_changed_by_name(
    before: list[Part], after: list[Part], sources: dict[str, bool], capabilities: dict[str, dict[str, bool]]
) -> None:
    assert between(before, after) == Delta(sources, capabilities)


def test_of_several_changes_to_a_name_the_last_counts() -> None:
    lines = [
        ChangeLine.of(1, "", Delta({"a": True, "b": True}, {"a": {ONE: True, TWO: True}})),
        ChangeLine.of(2, "", Delta({"b": False}, {"a": {ONE: False}, "b": {THREE: True}})),
    ]

    assert union(lines) == Delta({"a": True, "b": False}, {"a": {ONE: False, TWO: True}, "b": {THREE: True}})


def test_a_joined_line_says_each_name_once_and_is_no_longer_than_its_parts() -> None:
    lines = [ChangeLine.of(serial, f"digest {serial}", Delta({"a": serial % 2 == 0})) for serial in (7, 8)]

    joined = ChangeLine.joined(lines)

    assert (joined.first, joined.serial, joined.substance) == (7, 8, "digest 8")
    assert (joined.joins, lines[0].joins, joined.delta) == (True, False, Delta({"a": True}))
    assert len(joined.text) < sum(len(line.text) for line in lines)
    assert ChangeLine.read(joined.text) == joined


@pytest.mark.parametrize(
    "delta",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="empty"),
        pytest.param({"sources": {}}, id="no capabilities"),
        pytest.param({"sources": [], "capabilities": {}}, id="sources that are no object"),
        pytest.param({"sources": {}, "capabilities": []}, id="capabilities that are no object"),
        pytest.param({"sources": {}, "capabilities": {"a": ["x"]}}, id="ids that are no object"),
        pytest.param({"sources": {}, "capabilities": {}, "more": {}}, id="a member that a delta has not"),
    ],
)
def test_a_line_whose_names_can_not_be_read_is_none(delta: Any) -> None:
    text = orjson.dumps({"format": 1, "serial": 1, "substance": "", "delta": delta}) + b"\n"

    with pytest.raises(ValueError, match="format"):
        ChangeLine.read(text)


@pytest.mark.parametrize(
    "serials",
    [{"serial": 0}, {"serial": -1}, {"serial": "7"}, {"serial": 7.0}, {"serial": True}, {"serial": 2**53},
     {"first": 0, "serial": 7}, {"first": 8, "serial": 7}, {"first": "1", "serial": 7}],
    ids=str,
)  # fmt: skip
def test_a_line_of_serials_that_no_hub_gives_is_none(serials: dict[str, Any]) -> None:
    record = {"format": 1, "substance": "", "delta": {"sources": {}, "capabilities": {}}}

    with pytest.raises(ValueError, match="format"):
        ChangeLine.read(orjson.dumps(record | serials) + b"\n")
