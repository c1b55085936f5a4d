"""One source: its registration, what is known about it, what is kept of it, and when it is due."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from shared.compose import Part
from shared.sources.status import SERVED, Status, state_of

if TYPE_CHECKING:
    import asyncio

    from shared.clock import Clock
    from shared.registration import Registration
    from shared.sources.shelf import Kept

LEAST_INTERVAL = 30.0
MOST_BACKOFF = 3600.0
JITTER = 0.1


class Outcome(NamedTuple):
    """What a check came to."""

    repo: str
    outcome: Literal["changed", "unchanged", "failed"]
    source: Status


@dataclass(slots=True, eq=False)
class Source:
    """One source. Only the event loop's thread changes it; *due* is on the monotonic clock."""

    registration: Registration
    status: Status
    kept: Kept | None = None
    due: float = 0.0
    flight: asyncio.Task[Outcome] | None = None

    @property
    def served(self) -> str | None:
        """The digest of the content that is in the federated index, None for nothing."""
        return self.kept.content.digest if self.kept and self.status.state in SERVED else None

    def part(self) -> Part:
        """Return what the source contributes to the federated index."""
        content = self.kept.content if self.kept and self.status.state in SERVED else None
        return Part(self.registration, self.status.state, self.status.changed_at, content)

    def settle(self, clock: Clock, max_stale: float) -> None:
        """Bring the state in line with the facts; content not found in order for *max_stale* seconds is given up."""
        succeeded = self.status.succeeded_at
        outlived = succeeded is not None and clock.age(succeeded) > max_stale
        state = state_of(
            self.status,
            enabled=self.registration.enabled,
            has_content=self.kept is not None,
            outlived=outlived and self.status.error is not None,
        )
        status = self.status if self.registration.enabled else replace(self.status, next_check_at=None)
        self.status = status.settled(state, clock.stamp())


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


def interval(ttl: int, failures: int) -> float:
    """Return the seconds until the next check: the time to live, or after failures an exponential backoff."""
    regular = max(float(ttl), LEAST_INTERVAL)
    if failures:
        regular = min(LEAST_INTERVAL * 2 ** min(failures - 1, 20), max(regular, MOST_BACKOFF))
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load, hides nothing
    return max(regular * spread, LEAST_INTERVAL)
