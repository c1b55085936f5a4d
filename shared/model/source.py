"""The view of a source: its registration, status and contents at one moment, and what follows from them. Pure.

Pages, findings, metrics and compositions take these values, which never change and may be read in any thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from shared.model.compose import Part
from shared.model.record import Record, RecordDetails
from shared.model.status import SERVED, Status, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.content import Content
    from shared.model.record import DatedFault
    from shared.model.registration import Registration
    from shared.model.source_update import Ending, SourceUpdate
    from shared.model.stored_content import HeldContent, StoredContent

LEAST_INTERVAL = 30.0
MOST_BACKOFF = 3600.0
"""Seconds between two checks of a source: the least, and the most after failures, unless its time to live is longer."""

OVERDUE = "the next one is overdue by more than cache_ttl_seconds and an hour"
_NEVER_CHECKED = Status()


class Outcome(NamedTuple):
    """The outcome of a check (``changed``, ``unchanged``, ``held`` or ``failed``), and the source after it."""

    repo: str
    outcome: Ending
    source: Status


class PublishedState(NamedTuple):
    """The part of a source that must be durable before the federated index says it: its state, and two digests.

    *contents* are the digests of the served and of the held content, None where there is none.
    """

    state: str
    contents: tuple[str | None, str | None]


NOTHING_PUBLISHED = PublishedState("", (None, None))


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source at one moment. Each change of the source makes another view.

    Of the hub's running time are *good*, the last check that found it in order, and *looked* (watched time), the last
    check or, before the first, the registration. *unread* tells that its URL was changed and the new one not read yet,
    *late* that a check is long overdue. *faults* are the faults of the last check.
    """

    registration: Registration
    status: Status = _NEVER_CHECKED
    last_good: StoredContent | None = None
    held: HeldContent | None = None
    faults: tuple[DatedFault, ...] = ()
    failing_since: str | None = None
    good: float | None = None
    looked: float = 0.0
    unread: bool = False
    late: bool = False

    @property
    def repo(self) -> str:
        """The slug of the repo."""
        return self.registration.repo

    @property
    def served(self) -> str | None:
        """The digest of the content that is in the federated index, None for nothing."""
        return self.last_good.content.digest if self.last_good and self.status.state in SERVED else None

    @property
    def published(self) -> PublishedState:
        """The state and digests that the federated index is made of, or has to wait for."""
        return PublishedState(self.status.state, (self.served, self.status.held_digest))

    @property
    def content(self) -> Content | None:
        """The last good content, served or not."""
        return self.last_good.content if self.last_good else None

    @property
    def contents(self) -> tuple[Content | None, Content | None]:
        """The contents that count for the bound on all contents: the last good one, and the one held in its place."""
        return self.content, self.held.stored.content if self.held else None

    @property
    def newest(self) -> StoredContent | None:
        """The content whose validators the next check sends: held, else last good; None if that is of another URL."""
        newest = self.held.stored if self.held else self.last_good
        return newest if newest and newest.url == self.registration.url else None

    def part(self) -> Part:
        """Return this source's part of a composition; its content is None unless it is served."""
        content = self.content if self.status.state in SERVED else None
        return Part(self.registration, self.status.state, self.status.changed_at, content)

    def record(self, wait: float) -> Record:
        """Return the record of the source, whose next check is due in *wait* seconds."""
        row, seen_since = self.registration, self.held.seen_since if self.held else None
        details = RecordDetails(self.faults, self.failing_since, seen_since, self.good, self.looked, wait)
        return Record(row.repo, row.url, row.registered_at, row.revision, self.status, details, row.sequence)

    def outlived(self, ran: float, max_stale: float) -> bool:
        """Tell whether checks fail and found the content in order longer than *max_stale* seconds before *ran*."""
        # A source that nobody checked has not failed, so its content does not grow too old (SourceUnchecked).
        failing = self.status.error is not None and not self.status.unchecked
        return failing and self.good is not None and ran - self.good > max_stale

    def overdue(self, watched: float) -> bool:
        """Tell whether nobody has looked for twice the time to live and an hour, while others were checked."""
        return self.registration.enabled and watched - self.looked > patience(self.registration.cache_ttl_seconds)

    def updated(self, update: SourceUpdate) -> SourceView:
        """Return the view after *update*. The registration stays: it may be newer than that of the check."""
        status, details = update.record.status, update.record.details
        return SourceView(
            self.registration,
            status,
            update.good,
            update.held,
            details.faults,
            details.failing_since,
            details.good,
            looked=self.looked if details.looked is None else details.looked,
            unread=self.unread and status.error is not None,
            late=self.late,
        )

    def moved(self) -> SourceView:
        """Return the view after the URL was changed: what the old one brought is kept, its checks and what it held not.

        ``held`` content was to replace what the old URL brought, and the new one has not been read.
        """
        return replace(self, status=self.status.moved(), held=None, faults=(), failing_since=None, unread=True)

    def emptied(self) -> SourceView:
        """Return the view of a source that was never checked and has no content."""
        return SourceView(self.registration, looked=self.looked, late=self.late)

    def described(self) -> SourceView:
        """Return the view with a status that agrees with the last good content."""
        status = describing(self.status, self.last_good)
        return self if status is self.status else replace(self, status=status)

    def dated(self, next_check_at: str | None) -> SourceView:
        """Return the view with the date of the next check; a disabled source has none."""
        at = next_check_at if self.registration.enabled else None
        return self if at == self.status.next_check_at else replace(self, status=replace(self.status, next_check_at=at))

    def settled(
        self, ran: float, watched: float, max_stale: float, stamp: Callable[[], str], next_check_at: str | None = None
    ) -> SourceView:
        """Return the view with the state that its facts amount to, since *stamp* (the present, RFC 3339) if it is new.

        *ran* and *watched* are moments of the running time. Content that was not found in order for *max_stale* seconds
        is served no longer. *next_check_at* is the date of the next check, where there is one.
        """
        late = self.overdue(watched)
        status = self.status.doubted(self._doubt(late=late))
        doubted = self if late == self.late and status is self.status else replace(self, late=late, status=status)
        state = state_of(
            status,
            enabled=self.registration.enabled,
            has_content=self.last_good is not None,
            held=self.held is not None,
            outlived=doubted.outlived(ran, max_stale),
        )
        digest = self.held.stored.content.digest if self.held else None
        # Most checks change no more than the date of the next, and there are thousands of them.
        if (state, digest) == (status.state, status.held_digest) and status.state_since is not None:
            return doubted.dated(next_check_at)
        at = next_check_at if self.registration.enabled else None
        return replace(doubted, status=status.settled(state, stamp(), held_digest=digest, next_check_at=at))

    def _doubt(self, *, late: bool) -> str | None:
        """Return why the last good content may be outdated although no check failed; None where it is not."""
        if self.last_good is None:
            return None
        if self.unread:
            return "The URL was changed, and the new address has not been read yet."
        return f"The last check was at {self.status.checked_at}; {OVERDUE}." if late else None


def regular(ttl: int) -> float:
    """Return the seconds between two checks of a source with the time to live *ttl*, where none fails."""
    return max(float(ttl), LEAST_INTERVAL)


def patience(ttl: int) -> float:
    """Return for how many seconds nobody may look before a source is late: overdue by its time to live and an hour."""
    return 2 * regular(ttl) + MOST_BACKOFF


def describing(status: Status, last_good: StoredContent | None) -> Status:
    """Return *status* with digest, date and count of *last_good*, which is durable before the record of the status."""
    if last_good is None or (status.digest, status.changed_at) == (last_good.content.digest, last_good.changed_at):
        return status
    return replace(
        status,
        digest=last_good.content.digest,
        changed_at=last_good.changed_at,
        capability_count=len(last_good.content.entries),
        succeeded_at=status.succeeded_at or last_good.changed_at,
    )
