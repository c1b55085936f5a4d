"""The full-text table: SQLite's FTS5, in memory, holding no text but the index over it.

Rows are numbers that the caller gives; their order is the order of equals. One thread at a time may use a table.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from shared.problems import SearchTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# How much a word counts in the id, the name, the summary and the tags.
_RANK = "bm25(fts, 4.0, 8.0, 1.0, 4.0)"
_STEPS_BETWEEN_LOOKS = 5000
_EVERY = 0
_NONE = -1

FACTS_BEFORE_A_LOOK = 4096
"""Facts that are numbered before those without a row are looked for, and dropped."""

_MOST_MARKS = 100


class SearchRow(NamedTuple):
    """A row: its number, its texts as words separated by blanks (id, name, summary, tags), and its facts."""

    number: int
    texts: list[str]
    facts: set[tuple[str, str]]


class TableQuery(NamedTuple):
    """The conditions on a row: an expression of FTS5 or None, and for each filter the facts of which it states one."""

    match: str | None
    filters: list[list[tuple[str, str]]]


class Table:
    """Rows, found by their words and facts. Any method may raise SearchTimeout while a deadline is set."""

    def __init__(self, facts_before_a_look: int = FACTS_BEFORE_A_LOOK) -> None:
        self._base = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._base.executescript("""
            CREATE VIRTUAL TABLE fts USING fts5(id, name, summary, tags, content='', tokenize='ascii');
            CREATE TABLE stated (fact INTEGER, row INTEGER, PRIMARY KEY (fact, row)) WITHOUT ROWID;
        """)
        self._facts: dict[tuple[str, str], int] = {("", ""): _EVERY}
        self._numbers = itertools.count(_EVERY + 1)
        self._least_facts = self._most_facts = facts_before_a_look

    def close(self) -> None:
        """Free its memory; the table can't be used any more."""
        self._base.close()

    def change(self, removed: Iterable[SearchRow], added: Iterable[SearchRow]) -> None:
        """Delete *removed*, each exactly as it was added, and insert *added*, in one transaction."""
        facts_may_be_gone = False
        self._base.execute("BEGIN")
        try:
            for row in removed:
                facts_may_be_gone = True
                values = (row.number, *row.texts)
                self._base.execute(
                    "INSERT INTO fts(fts, rowid, id, name, summary, tags) VALUES ('delete', ?, ?, ?, ?, ?)", values
                )
                self._base.executemany("DELETE FROM stated WHERE fact = ? AND row = ?", self._stated(row))
            for row in added:
                values = (row.number, *row.texts)
                self._base.execute("INSERT INTO fts(rowid, id, name, summary, tags) VALUES (?, ?, ?, ?, ?)", values)
                self._base.executemany("INSERT INTO stated VALUES (?, ?)", self._stated(row))
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")
        if facts_may_be_gone and len(self._facts) > self._most_facts:
            self._forget_facts()

    def _stated(self, row: SearchRow) -> Iterator[tuple[int, int]]:
        yield _EVERY, row.number
        for fact in row.facts:
            number = self._facts.get(fact)
            if number is None:
                number = self._facts[fact] = next(self._numbers)
            yield number, row.number

    def _forget_facts(self) -> None:
        """Drop the facts that no row states. The next look comes when there are twice as many as are left now."""
        stated = {_EVERY, *(number for (number,) in self._base.execute("SELECT DISTINCT fact FROM stated"))}
        self._facts = {fact: number for fact, number in self._facts.items() if number in stated}
        self._most_facts = max(2 * len(self._facts), self._least_facts)

    def until(self, passed: Callable[[], bool] | None) -> None:
        """Interrupt every statement from now on, by SearchTimeout, once *passed* returns True; None: none."""
        self._base.set_progress_handler(passed, _STEPS_BETWEEN_LOOKS)

    def count(self, query: TableQuery) -> int:
        """Return how many rows match *query*."""
        _, clause, values = self._clause(query)
        return int(self._all(f"SELECT count(*) FROM {clause}", values)[0][0])  # noqa: S608 - see _clause

    def ranked(self, query: TableQuery) -> list[tuple[int, float]]:
        """Return the rows that match *query*, which has an expression, each with its rank: the less the better."""
        _, clause, values = self._clause(query)
        return self._all(f"SELECT rowid, {_RANK} AS rank FROM {clause} ORDER BY rank, rowid", values)  # noqa: S608

    def after(self, query: TableQuery, number: int, most: int) -> list[int]:
        """Return the first *most* rows beyond *number* that match, in their order."""
        row, clause, values = self._clause(query)
        statement = f"SELECT {row} FROM {clause} AND {row} > ? ORDER BY {row} LIMIT ?"  # noqa: S608 - see _clause
        found = self._all(statement, [*values, number, most])
        return [number for (number,) in found]

    def counted(self, query: TableQuery, kinds: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
        """Return (value, count of rows) for each of *kinds* among the rows that match, the most frequent first."""
        row, clause, values = self._clause(query)
        everything = query == TableQuery(None, [])
        names = {number: fact for fact, number in self._facts.items()}
        counts: dict[str, list[tuple[str, int]]] = {kind: [] for kind in kinds}
        matching = f"SELECT {row} FROM {clause}"  # noqa: S608 - see _clause
        where = "fact >= ?" if everything else f"row IN ({matching})"
        statement = f"SELECT fact, count(*) FROM stated WHERE {where} GROUP BY fact"  # noqa: S608
        for fact, count in self._all(statement, values):
            kind, value = names[fact]
            if kind in counts:
                counts[kind].append((value, count))
        return {kind: sorted(found, key=lambda pair: (-pair[1], pair[0])) for kind, found in counts.items()}

    def _clause(self, query: TableQuery) -> tuple[str, str, list[object]]:
        """Return the column of row numbers, what stands after FROM, and its values.

        The text is made of names and question marks of this module alone; what callers bring is in the values.
        """
        values: list[object] = []
        filters = [[self._facts.get(fact, _NONE) for fact in facts] for facts in query.filters]
        if query.match is not None:
            row, clause = "fts.rowid", "fts WHERE fts MATCH ?"
            values.append(query.match)
        else:
            first = filters.pop() if filters else [_EVERY]
            row, clause = "first.row", f"stated AS first WHERE first.fact IN {_one_of(first, values)}"
        for facts in filters:
            stated = f"SELECT 1 FROM stated WHERE fact IN {_one_of(facts, values)} AND row = {row}"  # noqa: S608
            clause += f" AND EXISTS ({stated})"
        return row, clause, values

    def _all(self, statement: str, values: list[object]) -> list[Any]:
        try:
            return self._base.execute(statement, values).fetchall()
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
            raise SearchTimeout("The search was given up; ask with fewer or rarer words, or filter.") from fault


def _one_of(numbers: list[int], values: list[object]) -> str:
    """Return what stands behind IN for *numbers*, which are put behind *values*.

    SQLite takes some thousand values in all, each with a mark of its own; a long list is one value.
    """
    if len(numbers) > _MOST_MARKS:
        values.append(json.dumps(numbers))
        return "(SELECT value FROM json_each(?))"
    values += numbers
    return f"({', '.join('?' * len(numbers))})"
