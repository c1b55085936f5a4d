from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.compose import compose
from shared.federation import changes as module
from shared.federation.changes import Changes, Delta, Line, merged
from shared.problems import SerialGone, StorageUnavailable
from tests.builders import capability
from tests.shared.sharing import LATER, part

if TYPE_CHECKING:
    from pathlib import Path

    from shared.compose import Part

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
        Line.of(1, "", Delta({"a": True, "b": True}, {"a": {ONE: True, TWO: True}})),
        Line.of(2, "", Delta({"b": False}, {"a": {ONE: False}, "b": {THREE: True}})),
    ]

    assert merged(lines) == Delta({"a": True, "b": False}, {"a": {ONE: False, TWO: True}, "b": {THREE: True}})


def line(serial: int, substance: str = "") -> Line:
    return Line.of(serial, substance or f"s{serial}", Delta({f"repo{serial}": True}))


def noted(path: Path, *serials: int) -> Changes:
    """Return the changes of *serials*, written and kept."""
    changes = Changes(path)
    changes.load(serials[0] - 1, f"s{serials[0] - 1}")
    for serial in serials:
        changes.write(line(serial))
        changes.keep(line(serial))
    return changes


def loaded(path: Path, serial: int, substance: str = "") -> list[int]:
    """Return the serials that a start knows of when *serial* is what was served last."""
    changes = Changes(path)
    changes.load(serial, substance or f"s{serial}")
    return [one.serial for one in changes.since(changes.oldest)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "changes.jsonl"


def test_what_is_kept_is_known_after_a_restart(path: Path) -> None:
    changes = noted(path, 1, 2, 3)

    assert [one.serial for one in changes.since(1)] == [2, 3]
    assert changes.since(3) == []
    again = Changes(path)
    again.load(3, "s3")
    assert again.since(0) == changes.since(0)
    assert again.since(0)[1].delta == Delta({"repo2": True})


@pytest.mark.parametrize("serial", [0, 4, 99])
def test_what_is_not_known_is_gone(path: Path, serial: int) -> None:
    changes = noted(path, 2, 3)

    with pytest.raises(SerialGone, match=f"Serial {serial} .* /v1/federated "):
        changes.since(serial)


def test_there_need_not_be_a_file(path: Path) -> None:
    assert loaded(path, 7) == []


@pytest.mark.parametrize(
    ("lines", "known"),
    [
        pytest.param([line(1), line(2), line(3), line(4)], [1, 2, 3], id="a line of a serial that was never served"),
        pytest.param([line(1), line(2, "other"), line(2), line(3)], [1, 2, 3], id="a serial that was tried twice"),
        pytest.param([line(1), line(3)], [3], id="a hole"),
        pytest.param([line(1), b"{torn\n", line(2), line(3)], [2, 3], id="damage"),
        pytest.param([line(1), b"\xff\x00\n", line(3)], [3], id="damage that is no text"),
        pytest.param([line(1), b"[]\n", line(3)], [3], id="another thing"),
        pytest.param([b'{"format": 2, "serial": 2}\n', line(3)], [3], id="another format"),
        pytest.param([line(1), line(2)], [], id="the last one is missing"),
        pytest.param([line(2), line(3, "other")], [], id="the last one says something else"),
        pytest.param([line(2), line(3).text[:-1]], [], id="the last one is torn"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_what_does_not_lead_to_the_serial_that_is_served_does_not_count(
    path: Path, lines: list[Line | bytes], known: list[int]
) -> None:
    path.write_bytes(b"".join(one if isinstance(one, bytes) else one.text for one in lines))

    assert loaded(path, 3) == known


@pytest.mark.parametrize("serial", [2, 3])
def test_wherever_the_file_is_torn_nothing_wrong_is_known(path: Path, serial: int) -> None:
    lines = [line(number).text for number in (1, 2, 3)]
    whole = b"".join(lines)
    enough = len(b"".join(lines[:serial]))

    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        assert loaded(path, serial) == (list(range(1, serial + 1)) if size >= enough else [])


def test_after_damage_it_is_written_whole(path: Path) -> None:
    path.write_bytes(b"{torn" + line(1).text)
    noted(path, 4, 5)

    assert path.read_bytes() == line(4).text + line(5).text


def test_what_led_to_a_serial_may_be_unknown(path: Path) -> None:
    changes = noted(path, 1, 2)
    changes.start_anew(3)

    assert changes.since(3) == []
    with pytest.raises(SerialGone):
        changes.since(2)
    changes.write(line(4))
    changes.keep(line(4))
    assert loaded(path, 4) == [4]


def test_older_serials_are_told_together_and_none_is_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_LINES", 8)

    changes = noted(path, *range(1, 101))

    lines = changes.since(0)
    assert (changes.oldest, len(lines) <= 8) == (0, True)
    assert [one.first for one in lines] == [1, *(one.serial + 1 for one in lines[:-1])]
    assert [(one.first, one.serial) for one in lines[-4:]] == [(serial, serial) for serial in range(97, 101)]
    assert merged(lines) == Delta({f"repo{serial}": True for serial in range(1, 101)})
    again = Changes(path)
    again.load(100, "s100")
    assert (again.oldest, len(again.since(0)) <= 8) == (0, True)
    assert merged(again.since(0)) == merged(lines)


def test_what_one_name_does_over_and_over_takes_no_more_room_than_what_it_is(path: Path) -> None:
    changes = Changes(path)
    changes.load(0, "")
    for serial in range(1, 3001):
        one = Line.of(serial, f"s{serial}", Delta({"repo": True}, {"repo": {ONE: serial % 2 == 0}}))
        changes.write(one)
        changes.keep(one)

    lines = changes.since(7)
    assert (changes.oldest, len(lines) <= module.MOST_LINES) == (0, True)
    assert merged(lines) == Delta({"repo": True}, {"repo": {ONE: True}})
    assert len(path.read_bytes().splitlines()) <= 4 * module.MOST_LINES
    assert loaded(path, 3000)[-1] == 3000


NAMES = [f"n{number}" for number in range(4)]
STEPS = st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), max_size=3), min_size=1, max_size=40)


@given(steps=STEPS, most=st.integers(2, 8))
def test_from_every_serial_that_is_known_what_is_told_leads_to_what_is_served(
    steps: list[dict[str, int]], most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    states: list[dict[str, int]] = [{}]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_LINES", most)
        changes = Changes(tmp_path_factory.mktemp("changes") / "changes.jsonl")
        changes.load(0, "")
        for serial, step in enumerate(steps, 1):
            # 0 is a name that goes, another number what it says now.
            states.append({name: value for name, value in (states[-1] | step).items() if value})
            one = Line.of(serial, "", Delta({name: bool(value) for name, value in step.items()}))
            changes.write(one)
            changes.keep(one)

    assert changes.oldest == 0
    for serial, state in enumerate(states):
        there = merged(changes.since(serial)).sources
        copy = {name: value for name, value in state.items() if name not in there}
        copy |= {name: states[-1][name] for name, is_there in there.items() if is_there}
        assert copy == states[-1]


def test_however_much_changes_file_and_memory_stay_small(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10 * len(line(100).text))

    changes = noted(path, *range(100, 200))

    assert 100 < changes.oldest <= 190
    assert sum(len(one.text) for one in changes.since(changes.oldest)) <= module.MOST_BYTES
    assert path.stat().st_size <= 2.2 * module.MOST_BYTES
    assert loaded(path, 199)[-1] == 199


def test_one_change_that_is_too_much_makes_everybody_start_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10)

    assert noted(path, 1, 2).oldest == 2


def test_a_line_that_could_not_be_written_whole_does_not_spoil_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = noted(path, 1, 2)

    def torn(_changes: Changes, text: bytes) -> None:
        with path.open("ab") as file:
            file.write(text[:9])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(Changes, "_append", torn)
        with pytest.raises(StorageUnavailable) as refused:
            changes.write(line(3))
    changes.write(line(3))
    changes.keep(line(3))

    assert refused.value.answer_status == 507
    assert path.read_bytes() == b"".join(line(serial).text for serial in (1, 2, 3))
