"""A store that has no registration in memory: it decides each write by the rows that it reads in one transaction.

It shows that the rules need no more than that. Its history is that of the other stores.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import orjson

from shared.fetch import urls
from shared.model import rules
from shared.model.registration import Registration
from shared.model.rules import DecisionBasis, Note, RegistrationBounds
from shared.problems import RepoNotFound
from shared.storage.ledger import RulesStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.clock import Clock
    from shared.model.author import Author
    from shared.model.history import Change
    from shared.model.registration import RegistrationFields
    from shared.model.rules import Decision, Edit
    from shared.problems import Problem
    from shared.storage.lines import HistoryLines

_TABLES = """
CREATE TABLE registration (repo TEXT PRIMARY KEY, url_key TEXT UNIQUE, registered_by TEXT, kept BLOB);
CREATE TABLE gone (revision INTEGER, sequence INTEGER);
INSERT INTO gone VALUES (0, 0);
"""
_BY_REPO = "SELECT kept FROM registration WHERE repo = ?"
_BY_URL = "SELECT kept FROM registration WHERE url_key = ?"
_ALL = "SELECT kept FROM registration ORDER BY repo"
_COUNTS = "SELECT count(*), count(*) FILTER (WHERE registered_by = ?) FROM registration"


class RowStore(RulesStore):
    """Keeps the promises of Store in a database in memory."""

    def __init__(self, clock: Clock, bounds: RegistrationBounds, lines: HistoryLines) -> None:
        """Begin with nothing."""
        self._clock = clock
        self._bounds = bounds
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        self._database.executescript(_TABLES)
        self._lines = lines
        self._in_order: Sequence[Registration] | None = None

    def _rows(self, query: str, *values: str) -> list[Registration]:
        return [Registration.from_json(orjson.loads(kept)) for (kept,) in self._database.execute(query, values)]

    def _row(self, query: str, value: str) -> Registration | None:
        return next(iter(self._rows(query, value)), None)

    async def get(self, repo: str) -> Registration:
        """Keep the promise of Store, as all of these do."""
        return rules.must_be_registered(self._row(_BY_REPO, repo), repo)

    async def registrations(self) -> Sequence[Registration]:
        """Keep the promise."""
        return self.all()

    def all(self) -> Sequence[Registration]:
        """Keep the promise."""
        if self._in_order is None:
            self._in_order = self._rows(_ALL)
        return self._in_order

    async def refusal(self, wanted: RegistrationFields, author: Author) -> Problem | None:
        """Keep the promise."""
        return rules.refusal(self._basis(wanted.repo, wanted, author), wanted, author)

    async def history(self, repo: str) -> Sequence[Change]:
        """Keep the promise."""
        if not (lines := self._lines.of(repo)):
            raise RepoNotFound(f"{repo} was never registered, or nothing is left of its history.")
        return lines

    async def close(self) -> None:
        """Keep the promise."""
        self._database.close()

    async def _write(self, repo: str, edit: Edit | Note, author: Author) -> Decision:
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:
            decision = self._decide(repo, edit, author)
            if decision.line is None:
                return decision
            if decision.after is not decision.before:
                self._keep(repo, decision.after, decision.line.revision)
        self._lines.keep(self._lines.numbered([decision.line]))
        return decision

    def _decide(self, repo: str, edit: Edit | Note, author: Author) -> Decision:
        now, current = self._clock.exact_stamp(), self._row(_BY_REPO, repo)
        if isinstance(edit, Note):
            return rules.annotate(rules.must_be_registered(current, repo), edit, author, now)
        target = rules.target(current, edit, author)
        return rules.decide(self._basis(repo, target, author), target, author, now)

    def _basis(self, repo: str, target: RegistrationFields | None, author: Author) -> DecisionBasis:
        current = self._row(_BY_REPO, repo)
        ((retired, sequence),) = self._database.execute("SELECT revision, sequence FROM gone")
        ((in_all, of_author),) = self._database.execute(_COUNTS, (author.name,))
        return DecisionBasis(
            current=current,
            last_revision=retired if current is None else current.revision,
            url_holder=None if target is None else self._row(_BY_URL, urls.normal(target.url)),
            sequence=sequence,
            in_all=in_all,
            of_author=of_author,
            bounds=self._bounds,
        )

    def _keep(self, repo: str, after: Registration | None, revision: int) -> None:
        self._in_order = None
        self._database.execute("DELETE FROM registration WHERE repo = ?", (repo,))
        if after is None:
            self._database.execute("UPDATE gone SET revision = max(revision, ?)", (revision,))
            return
        values = (repo, urls.normal(after.url), after.registered_by, orjson.dumps(after.as_row()))
        self._database.execute("INSERT INTO registration VALUES (?, ?, ?, ?)", values)
        self._database.execute("UPDATE gone SET sequence = max(sequence, ?)", (after.sequence,))
