"""The search index of one edition of the federated index, which follows to the next where little has changed."""

from __future__ import annotations

from bisect import bisect_left
from operator import attrgetter
from typing import TYPE_CHECKING

from shared.search.facts import facts
from shared.search.numbers import Numbers
from shared.search.query import Hit, Position, SearchRequest, SearchResult, words
from shared.search.sources import SearchSource, sources_of
from shared.search.table import SearchRow, Table, TableQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from shared.federation import Edition
    from shared.model.capability import Capability
    from shared.model.compose import Part

    More = Callable[[Part, Capability], Iterable[tuple[str, str]]]

SMALL_CHANGE = 1000
"""So many rows are changed in place, in less than a tenth of a second; for more a new table is made beside the old."""

RANKED_AT_MOST = 2000
"""Ranking looks at every row that matches; where more do, it would take too long."""

TELLING_SHARE = 5
TELLING_LEAST = 20
"""A word in more than a fifth of the entries, and in more than twenty, is left out where a query has rarer words."""


class Index:
    """The rows of *edition*. *more* adds facts to those of each entry. One thread at a time may use an index.

    At most *small_change* rows are changed in place, and results of more than *ranked_at_most* rows are not ranked.
    """

    def __init__(
        self, edition: Edition, more: More, *, small_change: int = SMALL_CHANGE, ranked_at_most: int = RANKED_AT_MOST
    ) -> None:
        self._more = more
        self._small_change, self._ranked_at_most = small_change, ranked_at_most
        self._table = Table()
        self._sources = sources_of(edition)
        self._numbers = Numbers(self._sources)
        self.edition = edition
        self._table.change((), self._rows(self._sources.values(), self._numbers))

    def close(self) -> None:
        """Free its memory; it can't be used any more."""
        self._table.close()

    def follow(self, edition: Edition) -> bool:
        """Become the index of *edition*; return False, unchanged, where making a new index is the better way."""
        self._table.until(None)
        old, new = self._sources, sources_of(edition)
        gone = [source for repo, source in old.items() if repo not in new or not source.says_the_same(new[repo])]
        come = [source for repo, source in new.items() if repo not in old or not source.says_the_same(old[repo])]
        if sum(len(source.content.entries) for source in gone + come) > self._small_change:
            return False
        numbers = self._numbers.only(new)
        if not all(numbers.has_room_for(source.part.repo) for source in come):
            return False
        self._table.change(self._rows(gone, self._numbers), self._rows(come, numbers))
        self._sources, self._numbers, self.edition = new, numbers, edition
        return True

    def _rows(self, sources: Iterable[SearchSource], numbers: Numbers) -> Iterator[SearchRow]:
        for source in sources:
            for place, entry in source.served():
                capability = entry.decoded()
                texts = (capability.id, capability.name, capability.summary, " ".join(capability.tags))
                row_facts = {*facts(source.part, capability), *self._more(source.part, capability)}
                parted = [" ".join(words(text)) for text in texts]
                yield SearchRow(numbers.row(source.part.repo, place), parted, row_facts)

    def find(self, request: SearchRequest, passed: Callable[[], bool]) -> SearchResult:
        """Return the result of *request*; raise SearchTimeout as soon as *passed* returns True."""
        self._table.until(passed)
        query = self._query(request)
        total = self._table.count(query)
        ranked = self._ranked(query, total)
        first = self._start(ranked, request.after)
        rows = [row for row, _ in ranked[first : first + request.limit + 1]]
        if len(rows) <= request.limit and len(ranked) < total:
            rows += self._rest(query, ranked, request, request.limit + 1 - len(rows))
        hits = self._hits(rows[: request.limit], ranked)
        following = None
        if len(rows) > len(hits):
            last = first + len(hits)
            following = Position(last if last <= len(ranked) else None, hits[-1].part.repo, hits[-1].entry.id)
        facets = self._table.counted(query, request.facets) if request.facets else {}
        unmatched = () if total else self._unmatched(request)
        return SearchResult(self.edition.document.serial, hits, total, following, facets, unmatched)

    def _unmatched(self, request: SearchRequest) -> tuple[str, ...]:
        """Return the kinds of those filters that find nothing even alone."""
        filters = ((kind, [(kind, value) for value in values]) for kind, values in request.filters)
        return tuple(kind for kind, facts in filters if not self._table.count(TableQuery(None, [facts])))

    def _query(self, request: SearchRequest) -> TableQuery:
        filters = [[(kind, value) for value in values] for kind, values in request.filters]
        if request.since:
            filters.append([("repo", repo) for repo, source in self._sources.items() if source.is_after(request.since)])
        if not request.terms:
            # A text without a word, such as "!", asks for something that nothing has.
            return TableQuery(None, filters if request.terms is None else [*filters, []])
        terms, joint = (self._selective(request.terms), " OR ") if request.some else (request.terms, " AND ")
        match = joint.join(map(_expression, terms))
        return TableQuery(f"{{name}} : ({match})" if request.named else match, filters)

    def _selective(self, terms: tuple[str, ...]) -> list[str]:
        """Return the selective *terms*: those found in some entries but in few; the most frequent where none is."""
        most = max(self._table.count(TableQuery(None, [])) / TELLING_SHARE, TELLING_LEAST)
        counts = {term: self._table.count(TableQuery(_expression(term), [])) for term in terms}
        return [term for term in terms if 0 < counts[term] <= most] or [max(terms, key=counts.__getitem__)]

    def _ranked(self, query: TableQuery, total: int) -> list[tuple[int, float]]:
        """Return the rows that come first, best first, each with its rank.

        These are all that match or, where those are too many, the ones whose id or name does, or none.
        """
        if query.match is None:
            return []
        if total > self._ranked_at_most:
            query = TableQuery(f"{{id name}} : ({query.match})", query.filters)
            if self._table.count(query) > self._ranked_at_most:
                return []
        return self._table.ranked(query)

    def _start(self, ranked: list[tuple[int, float]], after: Position | None) -> int:
        """Return how many of *ranked* come before the page: up to the last one shown, where it stands now or stood."""
        if after is None:
            return 0
        if after.shown is None:
            return len(ranked)
        anchor, there = self._row_at(after)
        stands = [count for count, (row, _) in enumerate(ranked, 1) if there and row == anchor]
        return stands[0] if stands else min(after.shown, len(ranked))

    def _rest(self, query: TableQuery, ranked: list[tuple[int, float]], request: SearchRequest, most: int) -> list[int]:
        """Return the next *most* rows that are not ranked, in the order of repos and ids."""
        ranked_rows, after = {row for row, _ in ranked}, request.after
        number = self._row_at(after)[0] if after is not None and after.shown is None else -1
        rows = self._table.after(query, number, most + len(ranked_rows))
        return [row for row in rows if row not in ranked_rows][:most]

    def _row_at(self, position: Position) -> tuple[int, bool]:
        """Return the row of the entry at *position* and True; if there is none, the one before it and False."""
        source = self._sources.get(position.repo)
        if source is None:
            return self._numbers.end(position.repo), False
        entries = source.content.entries
        place = bisect_left(entries, position.id, key=attrgetter("id"))
        exists = place < len(entries) and entries[place].id == position.id
        return self._numbers.row(position.repo, place if exists else place - 1), exists

    def _hits(self, rows: list[int], ranked: list[tuple[int, float]]) -> list[Hit]:
        """Return the hits of *rows*: the best ranked one fits by 100, others in proportion, those not ranked by 0."""
        ranks = dict(ranked)
        best = min(ranked[0][1], -1e-9) if ranked else 1.0
        return [self._hit(row, round(100 * ranks[row] / best) if row in ranks else 0) for row in rows]

    def _hit(self, row: int, score: int) -> Hit:
        repo, place = self._numbers.entry(row)
        source = self._sources[repo]
        return Hit(source.part, source.content.entries[place], score)


def _expression(term: str) -> str:
    """Return the FTS5 expression for *term* and words that begin with it; a whole word ranks higher."""
    return f'"{term}"' if len(term) == 1 else f'("{term}" OR "{term}" *)'
