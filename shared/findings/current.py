"""The findings of this moment: kept until something changes, and made anew in a thread when somebody asks then."""

from __future__ import annotations

import asyncio
from bisect import insort
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from shared.findings import Finding, ServedEdition, every, of_limit

if TYPE_CHECKING:
    from shared.capacity import Capacity
    from shared.federation import Federation
    from shared.model.source import SourceView
    from shared.reads import Reads
    from shared.signals import EditionNotice, SourceNotice
    from shared.sources import Sources

SLICE = 500
"""So many sources are looked at in one iteration of the event loop."""


class Findings:
    """The findings of the sources and of the federated index, stored until ``on_change`` is called for either."""

    def __init__(
        self, sources: Sources, federation: Federation, capacity: Capacity, reads: Reads, at_once: int = SLICE
    ) -> None:
        """Look at so many sources *at_once*, before the event loop turns to something else."""
        self._sources = sources
        self._federation = federation
        self.capacity = capacity
        self._reads = reads
        self._at_once = at_once
        self._changes = 0
        self._latest: tuple[int, list[Finding]] = (-1, [])

    def on_change(self, _notice: SourceNotice | EditionNotice) -> None:
        """Have the next call of ``all`` or ``current`` make the findings anew."""
        self._changes += 1

    def all(self) -> list[Finding]:
        """Return every finding, in the order of their keys; where something changed, they are made here and now."""
        if self._latest[0] != self._changes:
            views = {view.repo: view for view in self._sources.views()}
            self._latest = self._changes, every(views, self._served())
        return self._with_limits(self._latest[1])

    async def current(self) -> list[Finding]:
        """Return what ``all`` returns, made in a thread; changes that come during the call may be missing.

        Concurrent callers share one result, and no two are made at a time, also where callers are cancelled.
        """
        changes = self._changes
        while self._latest[0] < changes:
            # What began before this call may lack what changed before it: then the next one has it.
            await self._reads.join("findings", self._make)
        return self._with_limits(self._latest[1])

    async def _make(self) -> None:
        changes, served = self._changes, self._served()
        # *changes* was read first: a change during what follows makes this result outdated, and the next one is made.
        findings = await self._reads.always("every", every, await self._troubled(), served)
        # ``all`` may have made later ones meanwhile.
        self._latest = max((changes, findings), self._latest, key=itemgetter(0))

    async def _troubled(self) -> dict[str, SourceView]:
        """Return the views of the sources about which there may be a finding, by repo.

        The event loop goes on after every *at_once* of them.
        """
        troubled: dict[str, SourceView] = {}
        views = iter(self._sources.views())
        while part := list(islice(views, self._at_once)):
            troubled |= {view.repo: view for view in part if _is_troubled(view)}
            await asyncio.sleep(0)
        return troubled

    def _with_limits(self, findings: list[Finding]) -> list[Finding]:
        """Return *findings*, which stay as they are, with those about limits of the hub at this moment."""
        near = [of_limit(limit) for limit in self.capacity.near()]
        if not near:
            return findings
        result = findings.copy()
        for finding in near:
            insort(result, finding, key=Finding.key)
        return result

    def _served(self) -> ServedEdition:
        return ServedEdition(self._federation.edition, self._federation.since)


def _is_troubled(view: SourceView) -> bool:
    """Tell whether there may be a finding about the source of *view*."""
    # What to do about a required source depends on whether it is enabled.
    missing = view.registration.required and view.served is None
    return missing or view.status.error is not None or view.held is not None or view.status.state == "never"
