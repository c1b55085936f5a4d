from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.disk import write_whole
from shared.federation.changes import Changes
from shared.model.lines import ChangeLine, Delta, union
from shared.model.window import DEFAULT_WINDOW, WindowBounds
from shared.problems import SerialGone, StorageUnavailable
from shared.storage.files import editions as module
from shared.storage.files.editions import LinesFile
from tests.builders import capability

if TYPE_CHECKING:
    from pathlib import Path

ONE = capability(1)["id"]


def line(serial: int, substance: str = "") -> ChangeLine:
    return ChangeLine.of(serial, substance or f"s{serial}", Delta({f"repo{serial}": True}))


class Recorded(Changes):
    """Changes whose lines are written to a file, as editions are."""

    def __init__(self, path: Path, bounds: WindowBounds = DEFAULT_WINDOW) -> None:
        super().__init__(bounds)
        self.file = LinesFile(path, bounds)

    def load(self, serial: int, substance: str) -> None:
        """Begin as a start does whose last edition had *serial* and *substance*."""
        self.start(serial, self.file.load(serial, substance))

    def write(self, line: ChangeLine) -> None:
        """Write *line*, as publishing does."""
        self.file.write(self.with_line(line))

    def start_anew(self, serial: int) -> None:
        """Go on at *serial*, as a start does that doesn't know what led to it."""
        self.start(serial)
        self.file.write([])


def noted(path: Path, *serials: int, bounds: WindowBounds = DEFAULT_WINDOW) -> Recorded:
    """Return the changes of *serials*, written and kept."""
    changes = Recorded(path, bounds)
    changes.load(serials[0] - 1, f"s{serials[0] - 1}")
    for serial in serials:
        changes.write(line(serial))
        changes.keep(line(serial))
    return changes


def loaded(path: Path, serial: int, substance: str = "") -> list[int]:
    """Return the serials that a start knows of when *serial* is what was served last."""
    changes = Recorded(path)
    changes.load(serial, substance or f"s{serial}")
    return [one.serial for one in changes.since(changes.oldest)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "changes.jsonl"


def test_what_is_kept_is_known_after_a_restart(path: Path) -> None:
    changes = noted(path, 1, 2, 3)

    assert [one.serial for one in changes.since(1)] == [2, 3]
    assert changes.since(3) == []
    again = Recorded(path)
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
        pytest.param([b'{"format": 1, "serial": 2, "substance": ""}\n', line(3)], [3], id="a line without names"),
        pytest.param([b'{"format": 2, "serial": 2}\n', line(3)], [3], id="another format"),
        pytest.param([line(1), line(2)], [], id="the last one is missing"),
        pytest.param([line(2), line(3, "other")], [], id="the last one says something else"),
        pytest.param([line(2), line(3).text[:-1]], [], id="the last one is torn"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_what_does_not_lead_to_the_serial_that_is_served_does_not_count(
    path: Path, lines: list[ChangeLine | bytes], known: list[int]
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


FEW_LINES = WindowBounds(lines=8)


def test_older_serials_are_joined_and_none_is_dropped(path: Path) -> None:
    changes = noted(path, *range(1, 101), bounds=FEW_LINES)

    lines = changes.since(0)
    assert (changes.oldest, len(lines) <= 8) == (0, True)
    assert [one.first for one in lines] == [1, *(one.serial + 1 for one in lines[:-1])]
    assert [(one.first, one.serial) for one in lines[-4:]] == [(serial, serial) for serial in range(97, 101)]
    assert union(lines) == Delta({f"repo{serial}": True for serial in range(1, 101)})
    again = Recorded(path, FEW_LINES)
    again.load(100, "s100")
    assert (again.oldest, len(again.since(0)) <= 8) == (0, True)
    assert union(again.since(0)) == union(lines)


def test_what_one_name_does_over_and_over_takes_no_more_room_than_what_it_is(path: Path) -> None:
    changes = Recorded(path)
    changes.load(0, "")
    for serial in range(1, 3001):
        one = ChangeLine.of(serial, f"s{serial}", Delta({"repo": True}, {"repo": {ONE: serial % 2 == 0}}))
        changes.write(one)
        changes.keep(one)

    lines = changes.since(7)
    assert (changes.oldest, len(lines) <= DEFAULT_WINDOW.lines) == (0, True)
    assert union(lines) == Delta({"repo": True}, {"repo": {ONE: True}})
    assert len(path.read_bytes().splitlines()) <= 2 * DEFAULT_WINDOW.lines
    assert loaded(path, 3000)[-1] == 3000


NAMES = [f"n{number}" for number in range(4)]
STEPS = st.lists(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), max_size=3), min_size=1, max_size=40)


@given(steps=STEPS, most=st.integers(2, 8))
def test_from_every_serial_that_is_known_what_is_told_leads_to_what_is_served(
    steps: list[dict[str, int]], most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    states: list[dict[str, int]] = [{}]
    changes = Recorded(tmp_path_factory.mktemp("changes") / "changes.jsonl", WindowBounds(lines=most))
    changes.load(0, "")
    for serial, step in enumerate(steps, 1):
        # 0 is a name that goes, another number what it says now.
        states.append({name: value for name, value in (states[-1] | step).items() if value})
        one = ChangeLine.of(serial, "", Delta({name: bool(value) for name, value in step.items()}))
        changes.write(one)
        changes.keep(one)

    assert changes.oldest == 0
    for serial, state in enumerate(states):
        there = union(changes.since(serial)).sources
        copy = {name: value for name, value in state.items() if name not in there}
        copy |= {name: states[-1][name] for name, is_there in there.items() if is_there}
        assert copy == states[-1]


def test_however_much_changes_file_and_memory_stay_small(path: Path) -> None:
    one = len(line(100).text)
    bounds = WindowBounds(bytes=10 * one, joined_bytes=2 * one)

    changes = noted(path, *range(100, 200), bounds=bounds)

    assert 100 < changes.oldest <= 189
    assert sum(len(one.text) for one in changes.since(changes.oldest)) <= bounds.bytes + bounds.joined_bytes
    assert path.stat().st_size <= 2 * (bounds.bytes + bounds.joined_bytes)
    assert loaded(path, 199)[-1] == 199


def test_one_change_that_is_too_much_makes_everybody_start_anew(path: Path) -> None:
    assert noted(path, 1, 2, bounds=WindowBounds(bytes=10, joined_bytes=1)).oldest == 2


def ids_of(check: int) -> list[str]:
    return [f"capability.of-check-{check:04}.{number:04}" for number in range(5000)]


def test_one_repo_that_replaces_all_its_ids_at_each_check_leaves_as_many_serials_as_specified(path: Path) -> None:
    changes, sizes, windows = Recorded(path), list[int](), list[int]()
    changes.load(0, "")
    for serial in range(1, 66):
        ids = dict.fromkeys(ids_of(serial - 1), False) | dict.fromkeys(ids_of(serial), True)
        one = ChangeLine.of(serial, f"s{serial}", Delta({"repo": True}, {"repo": ids}))
        changes.write(one)
        changes.keep(one)
        sizes.append(len(one.text))
        windows.append(serial - changes.oldest)

    one_by_one = next(count for count in range(65) if sum(sizes[-count - 1 :]) > DEFAULT_WINDOW.bytes)
    assert (len(ids_of(1)[0]), one_by_one) == (29, 44)
    assert windows[:44] == [*range(1, 45)]
    assert min(windows[44:]) >= 44
    assert windows[-1] >= 60
    again = Recorded(path)
    again.load(65, "s65")
    assert 65 - again.oldest >= 60


def test_a_file_with_lines_that_were_joined_without_a_bound_is_read(path: Path) -> None:
    lines = [line(serial) for serial in range(1, 6)]
    path.write_bytes(ChangeLine.joined(lines[:4]).text + lines[4].text)
    changes = Recorded(path)
    changes.load(5, "s5")

    assert changes.oldest == 0
    assert union(changes.since(2)) == union(lines)
    changes.write(line(6))
    changes.keep(line(6))
    assert loaded(path, 6) == [4, 5, 6]


def test_the_file_is_appended_to_and_written_anew_once_it_is_twice_as_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = list[bytes]()

    def counted(target: Path, content: bytes) -> None:
        writes.append(content)
        write_whole(target, content)

    monkeypatch.setattr(module, "write_whole", counted)
    noted(path, *range(1, 101), bounds=FEW_LINES)

    assert 0 < len(writes) <= 1 + 100 // FEW_LINES.lines
    assert all(content.count(b"\n") <= FEW_LINES.lines for content in writes)


def test_a_line_that_could_not_be_written_whole_does_not_spoil_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = noted(path, 1, 2)

    def torn(file: IO[bytes], text: bytes) -> None:
        file.write(text[:9])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(module, "write_all", torn)
        with pytest.raises(StorageUnavailable) as refused:
            changes.write(line(3))
    changes.write(line(3))
    changes.keep(line(3))

    assert refused.value.answer_status == 507
    assert path.read_bytes() == b"".join(line(serial).text for serial in (1, 2, 3))
