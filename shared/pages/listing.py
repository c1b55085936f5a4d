"""Views of the table of sources: filters, order and page, and the paths of other views. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shared.pages.words import NEEDS_A_LOOK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.pages.summary import RepoRow

ROWS_A_PAGE = 100
_WORST_FIRST = {state: place for place, state in enumerate((*NEEDS_A_LOOK, "fresh", "disabled"))}

ORDERS: dict[str, Callable[[RepoRow], Any]] = {
    "repo": lambda row: row.registration.repo,
    "state": lambda row: _WORST_FIRST[row.source.state],
    "domain": lambda row: row.registration.domain,
    "required": lambda row: not row.registration.required,
    "entries": lambda row: row.served,
    "checked": lambda row: row.source.checked_at or "",
    "succeeded": lambda row: row.source.succeeded_at or "",
    "changed": lambda row: row.source.changed_at or "",
    "next": lambda row: row.source.next_check_at or "",
    "error": lambda row: (row.source.error is None, row.source.error["type"] if row.source.error else ""),
}
"""The sort keys of the table, by the name of their column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view of the table; *q* is searched in names, domains, URLs and descriptions, whatever the case."""

    q: str = ""
    state: str = ""
    domain: str = ""
    sort: str = "repo"
    down: bool = False
    page: int = 1

    def rows(self, rows: Sequence[RepoRow]) -> list[RepoRow]:
        """Return those of *rows* that match, in this view's order; of equal ones the order stays."""
        selection = [row for row in rows if self._admits(row)]
        return sorted(selection, key=ORDERS[self.sort], reverse=self.down)

    def _admits(self, row: RepoRow) -> bool:
        about = row.registration
        text = f"{about.repo}\n{about.domain}\n{about.url}\n{about.description}".casefold()
        facts = {"state": row.source.state, "domain": about.domain}
        return self.q.casefold() in text and all(getattr(self, name) in {"", fact} for name, fact in facts.items())

    def cut(self, rows: Sequence[RepoRow]) -> Sequence[RepoRow]:
        """Return the rows of this view's page, up to ROWS_A_PAGE of *rows*."""
        return rows[(self.page - 1) * ROWS_A_PAGE : self.page * ROWS_A_PAGE]

    def address(self, **changes: object) -> str:
        """Return path and query of this view with *changes*; any other change than of the page leads to page 1."""
        other = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]
        values = {"q": other.q, "state": other.state, "domain": other.domain}
        values["sort"] = other.sort if (other.sort, other.down) != ("repo", False) else ""
        values |= {"order": "down" if other.down else "", "page": str(other.page) if other.page > 1 else ""}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/sources?{query}" if query else "/sources"

    def sorted_by(self, name: str) -> str:
        """Return path and query of this view sorted by *name*; in reverse order where it is sorted by it already."""
        return self.address(sort=name, down=not self.down if name == self.sort else False)

    def direction(self, name: str) -> str:
        """Return the value of ``aria-sort`` for the column *name*."""
        if name != self.sort:
            return "none"
        return "descending" if self.down else "ascending"
