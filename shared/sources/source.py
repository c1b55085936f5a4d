"""One source: its registration, what is known about it, what is kept of it, and when it is due."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from shared.model.compose import Part
from shared.model.memory import Memory, Record
from shared.model.status import SERVED, Status, state_of
from shared.sources.hosts import Host
from shared.sources.schedule import patience

if TYPE_CHECKING:
    from shared.clock import Clock, RunningTime
    from shared.model.content import Content
    from shared.model.kept import Held, Kept
    from shared.model.memory import Mark
    from shared.model.registration import Registration
    from shared.model.settled import Ending, Settled
    from shared.sources.hosts import Share


OVERDUE = "the next one is overdue by more than cache_ttl_seconds and an hour"


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


@dataclass(slots=True, eq=False)
class Source:
    """One source. Only the event loop's thread changes it; *due* and *spread_to* are on the monotonic clock.

    Of the hub's running time are *good*, the last check that found it in order, and *looked* (watched time), the last
    check or, before the first, the registration. *unread* tells that its URL was changed and the new one not read yet,
    *late* that a check is long overdue.

    *deciding* is held by whoever decides what becomes of content, from the look at what is there until it is done.
    *epoch* is another object after each decision that outdates a check under way. *asked* tells that somebody asked
    for this source by name: its check then goes through, also while its host cools down. *told* is what the federated
    index was last told of it.
    """

    registration: Registration
    status: Status = field(default_factory=Status)
    kept: Kept | None = None
    held: Held | None = None
    marks: tuple[Mark, ...] = ()
    failing_since: str | None = None
    due: float = 0.0
    spread_to: float = 0.0
    good: float | None = None
    looked: float = 0.0
    unread: bool = False
    late: bool = False
    host: Host = field(default_factory=Host)
    deciding: asyncio.Lock = field(default_factory=asyncio.Lock)
    epoch: object = field(default_factory=object)
    flight: asyncio.Task[Outcome | None] | None = None
    asked: bool = False
    followed: bool = True
    published: PublishedState = field(default_factory=lambda: PublishedState("", (None, None)))

    @property
    def share(self) -> Share:
        """The share of the host that belongs to the owner of the registration."""
        return self.host.share(self.registration.registered_by)

    @property
    def served(self) -> str | None:
        """The digest of the content that is in the federated index, None for nothing."""
        return self.kept.content.digest if self.kept and self.status.state in SERVED else None

    @property
    def to_publish(self) -> PublishedState:
        """The state and digests as of now, which become ``published`` once the owner of the sources signals them."""
        return PublishedState(self.status.state, (self.served, self.status.held_digest))

    @property
    def content(self) -> Content | None:
        """The last good content, served or not."""
        return self.kept.content if self.kept else None

    @property
    def contents(self) -> tuple[Content | None, Content | None]:
        """The contents that count for the bound on all contents: the last good one, and the one held in its place."""
        return self.content, self.held.kept.content if self.held else None

    @property
    def known(self) -> Kept | None:
        """The content whose validators the next check sends, read from the same URL: what is held, else is kept."""
        known = self.held.kept if self.held else self.kept
        return known if known and known.url == self.registration.url else None

    def memory(self, clock: Clock) -> Memory:
        """Return the record that is saved beside the status, for findings and for the next start."""
        seen = self.held.seen if self.held else None
        wait = max(self.starts_at - clock.monotonic(), 0.0)
        return Memory(self.marks, self.failing_since, seen, self.good, self.looked, wait)

    def record(self, clock: Clock) -> Record:
        """Return what is recorded of the source at this moment."""
        row, memory = self.registration, self.memory(clock)
        return Record(row.repo, row.url, row.registered_at, row.revision, self.status, memory, row.sequence)

    def become(self, ended: Settled) -> None:
        """Take on what a check or an acceptance came to; when the next check is due stays as it was."""
        self.status, self.kept, self.held = ended.record.status, ended.good, ended.held
        memory = ended.record.memory
        self.marks, self.failing_since, self.good = memory.marks, memory.failing_since, memory.good
        self.looked = self.looked if memory.looked is None else memory.looked
        self.unread = self.unread and self.status.error is not None

    def move(self) -> None:
        """Forget the checks of an old URL, and keep what it brought."""
        self.unread, self.status = True, self.status.moved()
        self.marks, self.failing_since = (), None

    def empty(self) -> None:
        """Forget the checks, and what they brought."""
        self.kept, self.held, self.status, self.unread = None, None, Status(), False
        self.marks, self.failing_since, self.good = (), None, None

    def part(self) -> Part:
        """Return this source's part of a composition; its content is None unless it is served."""
        content = self.content if self.status.state in SERVED else None
        return Part(self.registration, self.status.state, self.status.changed_at, content)

    def waits(self, now: float) -> bool:
        """Tell whether the source is due, its host does not cool down, and no check of it is under way."""
        return self.registration.enabled and self.flight is None and max(self.due, self.host.cool_until) <= now

    @property
    def starts_at(self) -> float:
        """When the next check may begin, on the monotonic clock: its source is due and its host does not cool down."""
        return max(self.due, self.spread_to, self.host.cool_until)

    def stamp(self, clock: Clock) -> None:
        """Let the status say when the next check is due; a disabled source has none."""
        at = self._next_check_at(clock)
        if at != self.status.next_check_at:
            self.status = replace(self.status, next_check_at=at)

    def _next_check_at(self, clock: Clock) -> str | None:
        return clock.stamp(self.starts_at - clock.monotonic()) if self.registration.enabled else None

    def outlived(self, time: RunningTime, max_stale: float) -> bool:
        """Tell whether checks fail and found the content in order longer than *max_stale* running seconds ago."""
        failing = self.status.error is not None and not self.status.unchecked
        return failing and self.good is not None and time.ran - self.good > max_stale

    def overdue(self, time: RunningTime) -> bool:
        """Tell whether nobody has looked for twice the time to live and an hour, while others were checked."""
        return self.registration.enabled and time.watched - self.looked > patience(self.registration.cache_ttl_seconds)

    def settle(self, time: RunningTime, max_stale: float) -> None:
        """Bring the state in line with the facts; content not found in order for *max_stale* seconds is given up."""
        self.late = self.overdue(time)
        self.status = self.status.doubted(self._doubt())
        state = state_of(
            self.status,
            enabled=self.registration.enabled,
            has_content=self.kept is not None,
            held=self.held is not None,
            outlived=self.outlived(time, max_stale),
        )
        digest = self.held.kept.content.digest if self.held else None
        at = self._next_check_at(time.clock)
        # Most checks change no more than the date of the next, and there are thousands of them.
        if (state, digest) != (self.status.state, self.status.held_digest) or self.status.state_since is None:
            self.status = self.status.settled(state, time.clock.stamp(), held_digest=digest, next_check_at=at)
        elif at != self.status.next_check_at:
            self.status = replace(self.status, next_check_at=at)

    def _doubt(self) -> str | None:
        """Return why what is kept may not be what the source publishes, although no check failed; None if it is."""
        if self.kept is None:
            return None
        if self.unread:
            return "The URL was changed, and the new address has not been read yet."
        return f"The last check was at {self.status.checked_at}; {OVERDUE}." if self.late else None


def describing(status: Status, kept: Kept | None) -> Status:
    """Return *status* with what it says about the content in step with *kept*, which outlives a crash better."""
    if kept is None or (status.digest, status.changed_at) == (kept.content.digest, kept.changed_at):
        return status
    return replace(
        status,
        digest=kept.content.digest,
        changed_at=kept.changed_at,
        capability_count=len(kept.content.entries),
        succeeded_at=status.succeeded_at or kept.changed_at,
    )
