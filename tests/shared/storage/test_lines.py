from __future__ import annotations

from dataclasses import replace

from shared.model.history import Change
from shared.storage import IN_ALL, PER_REPO
from shared.storage import lines as module
from shared.storage.lines import HistoryLines

LINE = Change(repo="a", at="t", by="anna", action="update", revision=1, before={}, after={"domain": "d"})


def kept(lines: HistoryLines, *changes: Change) -> HistoryLines:
    """Number and keep *changes*, as the store does."""
    lines.keep(lines.numbered(changes))
    return lines


def numbers(lines: HistoryLines, repo: str = "a") -> list[int]:
    return [line.number for line in lines.of(repo)]


def test_lines_are_numbered_on_and_a_number_is_never_given_twice() -> None:
    lines = kept(HistoryLines(), LINE, LINE)
    lines.numbered([LINE])

    kept(lines, LINE)

    assert [line.number for line in lines] == [1, 2, 4]


def test_lines_that_bring_their_numbers_are_followed_by_higher_ones() -> None:
    lines = HistoryLines()
    lines.keep([replace(LINE, number=7)])

    assert numbers(kept(lines, LINE)) == [8, 7]


def test_the_newest_line_of_what_is_registered_stays_however_many_there_are() -> None:
    lines = HistoryLines(in_all=3)
    for number in range(10):
        kept(lines, replace(LINE, repo=f"r{number}", action="register"), replace(LINE, repo=f"r{number}"))

    assert [len(lines.of(f"r{number}")) for number in range(10)] == [1] * 7 + [2] * 3
    assert len(lines) == 13


def test_of_what_is_gone_nothing_has_to_stay() -> None:
    lines = HistoryLines(in_all=3)
    for number in range(10):
        kept(lines, *(replace(LINE, repo=f"r{number}", action=action) for action in ("register", "deregister")))

    assert [line.repo for line in lines] == ["r8", "r9", "r9"]
    assert lines.of("r0") == []
    kept(lines, replace(LINE, repo="r9", action="register"))
    assert [line.action for line in lines.of("r9")] == ["register", "deregister", "register"]


def test_bytes_are_bounded_as_well() -> None:
    large = replace(LINE, by="bert", after={"description": "é" * 1000})
    lines = kept(HistoryLines(in_all_bytes=20_000), LINE, LINE)

    kept(lines, *(replace(large, repo=f"r{number}") for number in range(20) for _ in range(2)))

    assert numbers(lines) == [2, 1]
    assert [len(lines.of(f"r{number}")) for number in (0, 10, 11, 19)] == [1, 1, 2, 2]


def test_a_token_that_is_pushed_back_per_repo_leaves_nothing_behind() -> None:
    lines = HistoryLines()
    for _ in range(3000):
        kept(lines, LINE)

    assert len(lines) == PER_REPO
    assert len(lines._spare._sizes) == PER_REPO - 1
    assert len(lines._spare._oldest["anna"]) < 3 * PER_REPO + module._SLACK


def test_a_token_without_lines_takes_no_room() -> None:
    lines = HistoryLines(in_all=0)
    for number in range(50):
        kept(lines, replace(LINE, by=f"t{number}", action="register"), replace(LINE, by="x", action="deregister"))

    assert len(lines) == 0
    assert lines._spare._oldest == lines._spare._counts == lines._by_repo == {}


def test_what_a_file_may_hold_is_kept_in_its_order() -> None:
    changes = [replace(LINE, repo=f"r{number % 700}", by=f"t{number % 7}") for number in range(IN_ALL + 500)]

    lines = kept(HistoryLines(), *changes)

    again = HistoryLines()
    again.keep(lines)
    assert [*again] == [*lines]
    assert [line.number for line in again] == sorted(line.number for line in lines)


def test_the_last_line_of_a_repo_that_is_gone_may_be_forgotten_once() -> None:
    spare = module._SpareLines(0, 0)
    spare.add(replace(LINE, number=1))
    assert spare.one_too_many() == 1

    for _ in range(2):
        spare.remove(replace(LINE, number=1))

    assert spare.one_too_many() is None
