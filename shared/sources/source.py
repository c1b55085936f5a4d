"""One source as the hub follows it: its view, when it is due, its host, and the check under way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared.model.source import NOTHING_PUBLISHED
from shared.sources.hosts import Host

if TYPE_CHECKING:
    from shared.model.record import Record
    from shared.model.registration import Registration
    from shared.model.source import Outcome, PublishedState, SourceView
    from shared.model.status import Status
    from shared.sources.hosts import Share


@dataclass(slots=True, eq=False)
class Source:
    """One source. Only ``SourceTable`` assigns its fields; what lies outside of this package gets its *view*.

    *due* and *spread_to* are on the monotonic clock. *deciding* is the lock of whoever decides what becomes of
    content, from the look at what is there until it is stored. *epoch* is another object after each change that
    outdates the check under way (*flight*). *on_request* is set by a check of this source by name, which goes through
    also while its host cools down. *followed* is False once it is deregistered, *published* was signalled last.
    """

    view: SourceView
    due: float = 0.0
    spread_to: float = 0.0
    host: Host = field(default_factory=Host)
    deciding: asyncio.Lock = field(default_factory=asyncio.Lock)
    epoch: object = field(default_factory=object)
    flight: asyncio.Task[Outcome | None] | None = None
    on_request: bool = False
    followed: bool = True
    published: PublishedState = NOTHING_PUBLISHED

    @property
    def registration(self) -> Registration:
        """The registration of the source."""
        return self.view.registration

    @property
    def status(self) -> Status:
        """What callers see of the source."""
        return self.view.status

    @property
    def share(self) -> Share:
        """The share of the host that belongs to the owner of the registration."""
        return self.host.share(self.view.registration.registered_by)

    @property
    def starts_at(self) -> float:
        """When the next check may begin, on the monotonic clock: its source is due and its host does not cool down."""
        return max(self.due, self.spread_to, self.host.cool_until)

    def starts_after(self, due: float) -> float:
        """Return what ``starts_at`` would be for a source that is *due* then."""
        return max(due, self.spread_to, self.host.cool_until)

    def waits(self, now: float) -> bool:
        """Tell whether the source is due, its host does not cool down, and no check of it is under way."""
        return self.flight is None and self.view.registration.enabled and max(self.due, self.host.cool_until) <= now

    def record(self, now: float) -> Record:
        """Return the record to be saved at *now*, on the monotonic clock, with the seconds until its next check."""
        return self.view.record(max(self.starts_at - now, 0.0))
