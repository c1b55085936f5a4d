"""The list of findings as a page shows it: which of them, which page, and the addresses of its other views. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from shared.findings import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.findings import Finding

REPOS_A_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """What of the findings is asked for; the filters are called as in the API."""

    severity: str = ""
    kind: str = ""
    repo: str = ""
    domain: str = ""
    page: int = 1

    def of(self, found: Sequence[Finding]) -> list[Finding]:
        """Return those of *found* that are asked for, in their order."""
        facts = [("severity", self.severity), ("repo", self.repo), ("domain", self.domain)]
        return [
            one
            for one in found
            if (not self.kind or self.kind in one.kinds)
            and all(wanted in {"", getattr(one, name)} for name, wanted in facts)
        ]

    def filters(self) -> list[tuple[str, str]]:
        """Return each filter by its name."""
        return [("severity", self.severity), ("kind", self.kind), ("repo", self.repo), ("domain", self.domain)]

    def cut(self, repos: Sequence[Sequence[Finding]]) -> Sequence[Sequence[Finding]]:
        """Return those of *repos*, the findings repo by repo, that the page of this view shows."""
        return repos[(self.page - 1) * REPOS_A_PAGE : self.page * REPOS_A_PAGE]

    @staticmethod
    def pages(repos: Sequence[Sequence[Finding]]) -> int:
        """Return how many pages *repos* take."""
        return max(1, -(-len(repos) // REPOS_A_PAGE))

    def severities(self, found: Sequence[Finding]) -> list[tuple[str, int]]:
        """Return how many of each severity this view has without its own, the gravest first."""
        counted = Counter(one.severity for one in replace(self, severity="").of(found))
        return [(severity, counted[severity]) for severity in SEVERITIES if counted[severity]]

    def kinds(self, found: Sequence[Finding]) -> list[tuple[str, int]]:
        """Return how many of each kind this view has without its own, the most frequent first."""
        return Counter(kind for one in replace(self, kind="").of(found) for kind in one.kinds).most_common()

    def address(self, **changes: object) -> str:
        """Return the address of this view with *changes*; a change of anything but the page leads to page 1."""
        other = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]
        return _address("/findings", [*other.filters(), ("page", str(other.page) if other.page > 1 else "")])

    @property
    def for_programs(self) -> str:
        """Where a program gets the same as JSON."""
        return _address("/v1/findings", self.filters())


def _address(path: str, values: list[tuple[str, str]]) -> str:
    query = urlencode([(name, value) for name, value in values if value])
    return f"{path}?{query}" if query else path
