from __future__ import annotations

import sqlite3

import pytest

from shared.problems import SearchTimeout
from shared.search.table import SearchRow, Table, TableQuery


def row(number: int, name: str = "", facts: dict[str, str] | None = None, **texts: str) -> SearchRow:
    whole = {"id": "", "name": name, "summary": "", "tags": "", **texts}
    return SearchRow(number, list(whole.values()), set((facts or {}).items()))


@pytest.fixture
def table() -> Table:
    return filled(Table())


def filled(table: Table) -> Table:
    table.change(
        (),
        [
            row(10, "red apple", {"kind": "fruit", "level": "2"}),
            row(20, "red car", {"kind": "thing", "level": "3"}),
            row(30, "blue car", {"kind": "thing"}, summary="not a red one"),
        ],
    )
    return table


ALL = TableQuery(None, [])


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        pytest.param(ALL, [10, 20, 30], id="everything"),
        pytest.param(TableQuery('"red"', []), [10, 20, 30], id="a word"),
        pytest.param(TableQuery('"red" AND "car"', []), [20, 30], id="two words"),
        pytest.param(TableQuery('{id name} : ("red" AND "car")', []), [20], id="in the name"),
        pytest.param(TableQuery('"re" *', []), [10, 20, 30], id="a beginning"),
        pytest.param(TableQuery('"car"', [[("level", "3")]]), [20], id="a word and a fact"),
        pytest.param(TableQuery(None, [[("kind", "thing")], [("level", "2"), ("level", "3")]]), [20], id="two facts"),
        pytest.param(TableQuery(None, [[("level", "3"), ("level", "2")]]), [10, 20], id="one of two facts"),
        pytest.param(TableQuery(None, [[("kind", "unknown")]]), [], id="a fact that nothing states"),
        pytest.param(TableQuery(None, [[]]), [], id="none of no facts"),
        pytest.param(TableQuery('"red"', [[]]), [], id="a word and none of no facts"),
        pytest.param(TableQuery('"green"', []), [], id="a word that is nowhere"),
    ],
)
def test_finds(table: Table, query: TableQuery, rows: list[int]) -> None:
    assert table.after(query, -1, 10) == rows
    assert table.count(query) == len(rows)


def test_rows_come_in_order_and_some_at_a_time(table: Table) -> None:
    assert table.after(ALL, -1, 2) == [10, 20]
    assert table.after(ALL, 20, 2) == [30]
    assert table.after(TableQuery('"red"', []), 10, 1) == [20]


def test_a_word_in_the_name_ranks_before_one_in_the_summary() -> None:
    table = Table()
    texts = [{"summary": "pear"}, {"name": "pear"}, {"id": "pear"}, {"tags": "pear"}, {"name": "other"}, {}, {}, {}, {}]
    table.change((), [row(number, facts=None, **text) for number, text in enumerate(texts)])

    found = table.ranked(TableQuery('"pear"', []))

    assert [number for number, _ in found] == [1, 2, 3, 0]
    assert [rank for _, rank in found] == sorted(rank for _, rank in found)


def test_facts_are_counted_over_what_matches_the_frequent_ones_first(table: Table) -> None:
    assert table.counted(ALL, ["kind", "level", "none"]) == {
        "kind": [("thing", 2), ("fruit", 1)], "level": [("2", 1), ("3", 1)], "none": [],
    }  # fmt: skip
    assert table.counted(TableQuery('"apple"', []), ["kind"]) == {"kind": [("fruit", 1)]}


def test_what_is_taken_out_is_gone_without_a_trace(table: Table) -> None:
    before = table.ranked(TableQuery('"car"', []))
    more = [row(40, "car of mine", {"kind": "thing"}), row(50, "my car", {"kind": "new"})]
    table.change((), more)

    table.change(more, ())

    assert table.ranked(TableQuery('"car"', [])) == before
    assert table.counted(ALL, ["kind"]) == {"kind": [("thing", 2), ("fruit", 1)]}


def test_facts_that_no_row_states_any_more_are_forgotten() -> None:
    table = filled(Table(facts_before_a_look=10))
    before = [row(40, "tree", {"tag": "of build 0"})]
    table.change((), before)
    for build in range(1, 200):
        after = [row(40, "tree", {"tag": f"of build {build}"})]
        table.change(before, after)
        before = after

    assert len(table._facts) <= 12
    assert table.after(TableQuery(None, [[("tag", "of build 199")]]), -1, 10) == [40]
    assert table.after(TableQuery(None, [[("tag", "of build 198")]]), -1, 10) == []
    assert table.after(TableQuery(None, [[("level", "3")]]), -1, 10) == [20]
    assert table.counted(ALL, ["tag", "kind"]) == {
        "tag": [("of build 199", 1)], "kind": [("thing", 2), ("fruit", 1)],
    }  # fmt: skip


def test_a_filter_may_name_more_facts_than_sqlite_takes_values(table: Table) -> None:
    many = [("level", str(number)) for number in range(300_000)]

    assert table.after(TableQuery(None, [many]), -1, 10) == [10, 20]
    assert table.count(TableQuery('"car"', [many, many])) == 1


def test_a_change_that_fails_changes_nothing(table: Table) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        table.change([row(10, "red apple", {"kind": "fruit", "level": "2"})], [row(60, "new"), row(20, "twice")])

    assert table.after(ALL, -1, 10) == [10, 20, 30]
    assert table.after(TableQuery('"apple"', []), -1, 10) == [10]


def test_a_search_is_given_up_when_its_time_has_passed_and_the_next_is_not() -> None:
    table = Table()
    table.change((), [row(number, "red") for number in range(20_000)])
    table.until(lambda: True)
    with pytest.raises(SearchTimeout):
        table.ranked(TableQuery('"red"', []))

    table.until(None)

    assert table.count(TableQuery('"red"', [])) == 20_000


def test_a_fault_of_ours_is_not_taken_for_a_slow_search(table: Table) -> None:
    with pytest.raises(sqlite3.OperationalError, match="unterminated"):
        table.count(TableQuery('"', []))


def test_a_closed_table_is_gone(table: Table) -> None:
    table.close()

    with pytest.raises(sqlite3.ProgrammingError):
        table.count(ALL)
