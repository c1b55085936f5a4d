"""Views of the list of findings: filters and page, and the paths of other views. Pure."""

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
class FindingsView:
    """A view of the findings; its filters are named as in the API, and empty where they are not set."""

    severity: str = ""
    kind: str = ""
    repo: str = ""
    domain: str = ""
    page: int = 1

    def of(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return those of *findings* that match the filters, in their order."""
        facts = [("severity", self.severity), ("repo", self.repo), ("domain", self.domain)]
        return [
            finding
            for finding in findings
            if (not self.kind or self.kind in finding.kinds)
            and all(value in {"", getattr(finding, name)} for name, value in facts)
        ]

    def filters(self) -> list[tuple[str, str]]:
        """Return (name, value) of each filter."""
        return [("severity", self.severity), ("kind", self.kind), ("repo", self.repo), ("domain", self.domain)]

    def cut(self, repos: Sequence[Sequence[Finding]]) -> Sequence[Sequence[Finding]]:
        """Return the repos on this view's page, up to REPOS_A_PAGE of *repos*, each a list of findings."""
        return repos[(self.page - 1) * REPOS_A_PAGE : self.page * REPOS_A_PAGE]

    @staticmethod
    def pages(repos: Sequence[Sequence[Finding]]) -> int:
        """Return how many pages *repos* take."""
        return max(1, -(-len(repos) // REPOS_A_PAGE))

    def severities(self, findings: Sequence[Finding]) -> list[tuple[str, int]]:
        """Return (severity, count) in this view without its filter on severity, the gravest first."""
        counts = Counter(finding.severity for finding in replace(self, severity="").of(findings))
        return [(severity, counts[severity]) for severity in SEVERITIES if counts[severity]]

    def kinds(self, findings: Sequence[Finding]) -> list[tuple[str, int]]:
        """Return (kind, count) in this view without its filter on kind, the most frequent first."""
        return Counter(kind for finding in replace(self, kind="").of(findings) for kind in finding.kinds).most_common()

    def address(self, **changes: object) -> str:
        """Return path and query of this view with *changes*; any other change than of the page leads to page 1."""
        other = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]
        return _address("/findings", [*other.filters(), ("page", str(other.page) if other.page > 1 else "")])

    @property
    def for_programs(self) -> str:
        """Path and query of the same view in the API, without its page."""
        return _address("/v1/findings", self.filters())


def _address(path: str, values: list[tuple[str, str]]) -> str:
    query = urlencode([(name, value) for name, value in values if value])
    return f"{path}?{query}" if query else path
