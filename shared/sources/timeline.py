"""How fresh the federation was over the last 30 days: the sources by state, to the minute.

The past of a picture is worth less than anything else the hub does: one that can't be read begins anew, one that can't
be written is tried again a minute later.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from shared.model.spans import thinned, with_look
from shared.model.status import STATES
from shared.problems import Problem
from shared.shortage import log_failure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.clock import Clock
    from shared.model.spans import Span
    from shared.model.status import State
    from shared.signals import SourceNotice
    from shared.sources import Sources
    from shared.storage.engine import TimelineStore

LOOK_SECONDS = 60.0
SAVE_SECONDS = 600.0
"""Without a change of the counts the file is written this often, so that a kill leaves a gap of that at most."""

_log = logging.getLogger("hub.timeline")


class Timeline:
    """The counts of sources by state over time, as spans.

    It is written when the counts changed, at most once a minute, else every ten minutes, and in the end: a process
    that is killed leaves a gap that is up to ten minutes longer than it was away.
    """

    def __init__(
        self, store: TimelineStore, sources: Sources, clock: Clock, look_seconds: float = LOOK_SECONDS
    ) -> None:
        """Take up what was recorded, or begin anew where that can't be read; ``follow`` looks every *look_seconds*."""
        self._look_seconds = look_seconds
        self._store = store
        self._sources = sources
        self._clock = clock
        self._first = True
        self._counted: tuple[int, ...] | None = None
        self._saved = clock.monotonic()
        self._trouble = ""
        self._spans = store.load()

    def spans(self, counts: Mapping[State, int]) -> Sequence[Span]:
        """Return the spans of the last 30 days up to this moment, at which *counts* sources are in each state."""
        spans = with_look(self._spans, self._now(), tuple(counts[state] for state in STATES), first=self._first)
        return spans if any(span.total for span in spans) else ()

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    async def follow(self) -> None:
        """Look once a minute; never returns."""
        while True:
            try:
                await self.look()
            except Exception as fault:  # noqa: BLE001 - logged and tried again; the present is shown either way
                log_failure(_log, "recording how fresh the sources are failed", fault)
            await asyncio.sleep(self._look_seconds)

    async def look(self) -> None:
        """Count the sources by state, and save the timeline if the counts changed or it was not saved for long.

        The process on duty does so for all that share the engine.
        """
        if not self._sources.on_duty:
            return
        if self._looked() or self._clock.monotonic() - self._saved >= SAVE_SECONDS:
            await self._save()

    def _looked(self) -> bool:
        """Add the counts of this moment to the spans; return whether they are to be written at once."""
        counts = self._counts()
        if not self._spans and not any(counts):
            return False
        before, now = len(self._spans), self._now()
        self._spans = with_look(self._spans, now, counts, first=self._first)
        self._first = False
        if len(self._spans) == before and not self._trouble:
            return False
        self._spans = thinned(self._spans, now)
        return True

    def on_source(self, notice: SourceNotice) -> None:
        """Count anew at the next look where a state may have changed: thousands of sources are rarely counted."""
        if notice.indexed:
            self._counted = None

    def _counts(self) -> tuple[int, ...]:
        if self._counted is None:
            counted = Counter(view.status.state for view in self._sources.views())
            self._counted = tuple(counted[state] for state in STATES)
        return self._counted

    async def _save(self) -> None:
        # Also where the write fails: ``_trouble`` has the next look, a minute later, try again.
        self._saved = self._clock.monotonic()
        try:
            await self._store.save(self._spans)
        except Problem as fault:
            if not self._trouble:
                _log.warning("recording how fresh the sources are: %s", fault.detail)
            self._trouble = fault.detail
        else:
            self._trouble = ""

    async def close(self) -> None:
        """Count the states a last time, and save the timeline."""
        if not self._sources.on_duty:
            return
        self._looked()
        if self._spans:
            await self._save()
