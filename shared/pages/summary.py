"""Summaries of all sources: by state, by domain, by age. Pure, but for collecting the rows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from shared.model.status import STATES
from shared.pages.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shared.federation.edition import ServedCounts
    from shared.hub import Hub
    from shared.model.registration import Registration
    from shared.model.status import State, Status


class RepoRow(NamedTuple):
    """One repository for a table: its registration, the status of its source, and the counts of its entries."""

    registration: Registration
    source: Status
    standing: ServedCounts

    @property
    def served(self) -> int:
        """How many entries of it are in the federated index."""
        return self.standing.served


@dataclass(frozen=True, slots=True)
class Domain:
    """The repositories of one domain, those with most served entries first."""

    name: str
    rows: Sequence[RepoRow]
    served: int
    states: Counter[State]


def rows_of(hub: Hub, registrations: Iterable[Registration]) -> list[RepoRow]:
    """Return *registrations* with their sources, in their order; to be called in a thread, for there may be many."""
    return [row_of(hub, registration) for registration in registrations]


def row_of(hub: Hub, registration: Registration) -> RepoRow:
    """Return *registration* with its source and what is served of it at this moment."""
    repo = registration.repo
    return RepoRow(registration, hub.sources.status(repo), hub.federation.edition.standing(repo))


def all_well(rows: Sequence[RepoRow], *, scheduled: bool) -> str:
    """Return the sentence about *rows* where there is no finding, which says no more than the last checks showed.

    Without *scheduled* these may be old.
    """
    checked = sum(row.registration.enabled for row in rows)
    off = len(rows) - checked
    if not rows:
        return "No repository is registered, so nothing was checked."
    disabled = f" {count(off, 'source is', 'sources are')} disabled and not checked." if off else ""
    if not checked:
        return f"No finding.{disabled}"
    which = "the enabled source" if checked == 1 else f"each of the {checked:,} enabled sources"
    when = "" if scheduled else " This hub does not check in the background, so that may be long ago."
    return f"No finding: the last check of {which} found it in order.{when}{disabled}"


def by_state(rows: Iterable[RepoRow]) -> Counter[State]:
    """Return the number of sources in each of STATES, 0 included, in that order."""
    counts = Counter(row.source.state for row in rows)
    return Counter({state: counts[state] for state in STATES})


def by_domain(rows: Iterable[RepoRow]) -> list[Domain]:
    """Return the domains, those with most served entries first."""
    groups: dict[str, list[RepoRow]] = {}
    for row in rows:
        groups.setdefault(row.registration.domain, []).append(row)
    domains = [_domain(name, members) for name, members in groups.items()]
    return sorted(domains, key=lambda domain: (-domain.served, -len(domain.rows), domain.name))


def _domain(name: str, rows: list[RepoRow]) -> Domain:
    ordered = sorted(rows, key=lambda row: (-row.served, row.registration.repo))
    return Domain(name, ordered, sum(row.served for row in rows), by_state(rows))


AGES = (
    ("within 10 minutes", 600.0),
    ("within an hour", 3600.0),
    ("within a day", 86400.0),
    ("within a week", 604800.0),
    ("longer ago", 1e12),
)
"""The classes of age, each with its upper bound in seconds."""


@dataclass(frozen=True, slots=True)
class Age:
    """How many sources are in a class of age; *share* is of the largest class, in percent."""

    label: str
    number: int
    share: int


def ages(rows: Iterable[RepoRow], stamp: Callable[[Status], str | None], now: datetime) -> list[Age]:
    """Return the enabled sources by how long ago *stamp* of their status was; those without one are the last class."""
    stamps = [stamp(row.source) for row in rows if row.registration.enabled]
    seconds = [(now - datetime.fromisoformat(text)).total_seconds() for text in stamps if text is not None]
    counts, before = [], 0
    for label, bound in AGES:
        within = sum(age < bound for age in seconds)
        counts.append((label, within - before))
        before = within
    counts.append(("never", len(stamps) - len(seconds)))
    largest = max(1, *(number for _, number in counts))
    return [Age(label, number, round(100 * number / largest)) for label, number in counts]
