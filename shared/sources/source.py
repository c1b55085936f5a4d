"""One source: its registration, what is known about it, what is kept of it, and when it is due."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.compose import Part
from shared.sources.hosts import Host
from shared.sources.memory import Memory
from shared.sources.status import SERVED, Status, state_of

if TYPE_CHECKING:
    import asyncio

    from shared.clock import Clock
    from shared.index import Content
    from shared.registration import Registration
    from shared.sources.held import Held
    from shared.sources.memory import Mark
    from shared.sources.shelf import Kept


Ending = Literal["changed", "unchanged", "held", "failed"]


class Outcome(NamedTuple):
    """What a check came to."""

    repo: str
    outcome: Ending
    source: Status


class Told(NamedTuple):
    """What the federated index, and a start, must know of a source: its state, and what is served and held."""

    state: str
    contents: tuple[str | None, str | None]


@dataclass(slots=True, eq=False)
class Source:
    """One source. Only the event loop's thread changes it; *due*, *spread_to* and *good* are on the monotonic clock.

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
    host: Host = field(default_factory=Host)
    epoch: object = field(default_factory=object)
    flight: asyncio.Task[Outcome | None] | None = None
    asked: bool = False
    followed: bool = True
    told: Told = field(default_factory=lambda: Told("", (None, None)))

    @property
    def served(self) -> str | None:
        """The digest of the content that is in the federated index, None for nothing."""
        return self.kept.content.digest if self.kept and self.status.state in SERVED else None

    @property
    def tells(self) -> Told:
        """What the federated index, and a start, must know at this moment."""
        return Told(self.status.state, (self.served, self.status.held_digest))

    @property
    def content(self) -> Content | None:
        """The last good content, served or not."""
        return self.kept.content if self.kept else None

    @property
    def contents(self) -> tuple[Content | None, Content | None]:
        """All that takes up room: the last good content, and what is held in its place."""
        return self.content, self.held.kept.content if self.held else None

    @property
    def known(self) -> Kept | None:
        """The content whose validators the next check sends: what is held, else what is kept."""
        return self.held.kept if self.held else self.kept

    @property
    def memory(self) -> Memory:
        """What is to be remembered beside the status."""
        return Memory(self.marks, self.failing_since, self.held.seen_since if self.held else None)

    def part(self) -> Part:
        """Return what the source contributes to the federated index."""
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
        wait = self.starts_at - clock.monotonic()
        at = clock.stamp(wait) if self.registration.enabled else None
        if at != self.status.next_check_at:
            self.status = replace(self.status, next_check_at=at)

    def outlived(self, clock: Clock, max_stale: float) -> bool:
        """Tell whether the content was last found in order longer than *max_stale* seconds ago."""
        return self.good is not None and clock.monotonic() - self.good > max_stale

    def settle(self, clock: Clock, max_stale: float) -> None:
        """Bring the state in line with the facts; content not found in order for *max_stale* seconds is given up."""
        state = state_of(
            self.status,
            enabled=self.registration.enabled,
            has_content=self.kept is not None,
            held=self.held is not None,
            outlived=self.status.error is not None and self.outlived(clock, max_stale),
        )
        digest = self.held.kept.content.digest if self.held else None
        self.status = replace(self.status.settled(state, clock.stamp()), held_digest=digest)
        self.stamp(clock)


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
