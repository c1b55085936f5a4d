from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from shared.model.lines import ChangeLine, Delta, union
from shared.model.window import Window, WindowBounds

if TYPE_CHECKING:
    import pytest

LETTERS = "abcdefgh"
MOST_BYTES, MOST_JOINED = 2400, 400
SMALL = WindowBounds(lines=16, bytes=MOST_BYTES, joined_bytes=MOST_JOINED)
"""Some twenty lines fill it."""


def line(serial: int, names: dict[str, bool]) -> ChangeLine:
    return ChangeLine.of(serial, f"digest of {serial}", Delta({}, {"repo": names}))


def unjoined(lines: list[ChangeLine], most: int = MOST_BYTES) -> int:
    """Return the oldest serial that a reader may be at where *lines* are there as far as *most* bytes of them go."""
    for one in reversed(lines):
        most -= len(one.text)
        if most < 0:
            return one.serial
    return lines[0].first - 1


NAMES = st.dictionaries(st.sampled_from(LETTERS), st.booleans(), max_size=4)
LONG = st.dictionaries(st.sampled_from([letter * 90 for letter in LETTERS]), st.booleans(), max_size=8)
FRESH = st.integers(1, 12).map(lambda count: {"fresh": bool(count % 2)} | dict.fromkeys(map(str, range(count)), True))


@given(st.lists(st.one_of(NAMES, LONG, FRESH), min_size=1, max_size=90))
@example([{letter * 90: True for letter in LETTERS}] * 20)
@example([{letter * 90: True for letter in LETTERS[: 1 + number % 8]} for number in range(40)])
@example([{f"{number} {other}": True for other in range(12)} for number in range(40)])
def test_what_was_added_last_is_there_in_full_and_joining_leaves_no_less(steps: list[dict[str, bool]]) -> None:
    window, lines = Window((), SMALL), list[ChangeLine]()
    for serial, names in enumerate(steps, 1):
        lines.append(line(serial, names))
        window = window.plus(lines[-1])
        oldest = window.lines[0].first - 1 if window.lines else serial
        assert oldest <= unjoined(lines)
        assert window.size == sum(len(one.text) for one in window.lines) <= MOST_BYTES + MOST_JOINED
        assert [one.first for one in window.lines[1:]] == [one.serial + 1 for one in window.lines[:-1]]
        assert len(window.lines) <= SMALL.lines
        for since in range(oldest, serial):
            later = union([one for one in window.lines if one.serial > since])
            changed = union(lines[since:]).capabilities["repo"]
            assert later == union(lines[next(one.first for one in window.lines if one.serial > since) - 1 :])
            assert changed.items() <= later.capabilities["repo"].items()


def test_names_that_change_over_and_over_push_nothing_out() -> None:
    groups = [[f"{letter}{number}" for number in range(4)] for letter in "abcd"]
    steps = [dict.fromkeys(groups[number % 4], number % 3 > 0) for number in range(400)]

    window = Window((line(serial, names) for serial, names in enumerate(steps, 1)), SMALL)

    assert (window.lines[0].first, window.lines[-1].serial) == (1, 400)
    assert unjoined([line(serial, names) for serial, names in enumerate(steps, 1)]) > 300


def test_lines_longer_than_a_joined_one_push_nothing_out_where_the_next_has_all_their_names() -> None:
    # More of them than "first" has bytes: what went takes a letter more in JSON than what came.
    names = [f"name {number:04}" for number in range(40)]

    window = Window((line(serial, dict.fromkeys(names, serial % 2 == 0)) for serial in range(1, 200)), SMALL)

    assert len(line(1, dict.fromkeys(names, True)).text) > MOST_JOINED
    assert window.lines[0].first == 1


def test_the_newest_stay_one_by_one() -> None:
    window = Window((line(serial, {str(serial): True}) for serial in range(1, 200)), SMALL)

    newest = window.lines[-5:]
    assert [(one.first, one.serial) for one in newest] == [(serial, serial) for serial in range(195, 200)]
    assert window.lines[0].joins


def test_a_write_reads_a_few_small_lines_and_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (line(serial, {f"{serial} {number}": True for number in range(4)}) for serial in range(1, 200))
    window = Window(lines, SMALL)
    joined, sizes = ChangeLine.joined, list[int]()

    def counted(lines: tuple[ChangeLine, ChangeLine]) -> ChangeLine:
        sizes.append(sum(len(one.text) for one in lines))
        return joined(lines)

    monkeypatch.setattr(ChangeLine, "joined", counted)
    for serial in range(200, 300):
        before = len(sizes)
        window = window.plus(line(serial, {f"{serial} {number}": True for number in range(4)}))
        assert len(sizes) - before <= 2
        assert all(size <= 2 * MOST_JOINED for size in sizes[before:])
    assert sum(sizes) < 100 * window.size / 4


def test_another_window_leaves_the_first_as_it_is() -> None:
    window = Window([line(1, {"a": True})], SMALL)

    following = window.plus(line(2, {"b": True}))

    assert ([one.serial for one in window.lines], [one.serial for one in following.lines]) == ([1], [1, 2])
    assert window.size < following.size
