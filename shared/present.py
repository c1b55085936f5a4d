"""The present findings: made anew when something changed and somebody asks, in a thread."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from shared.findings import Finding, Served, every, of_limit

if TYPE_CHECKING:
    from shared.capacity import Capacity
    from shared.federation import Federation
    from shared.reads import Reads
    from shared.sources.life import Sources
    from shared.sources.source import Source


class Findings:
    """The findings of the sources and of the federated index, kept until something changes."""

    def __init__(self, sources: Sources, federation: Federation, capacity: Capacity, reads: Reads) -> None:
        self._sources = sources
        self._federation = federation
        self.capacity = capacity
        self._reads = reads
        self._made: tuple[tuple[int, int], list[Finding]] = ((-1, -1), [])

    def all(self) -> list[Finding]:
        """Return every finding, in the order of their keys; where something changed, they are made here and now."""
        if self._made[0] != self._moment():
            self._made = self._moment(), every(self._sources.all(), self._served())
        return self._with_limits()

    async def made(self) -> list[Finding]:
        """Return what ``all`` does, made in a thread, once for all who ask."""
        moment = self._moment()
        if self._made[0] != moment:
            # Copies: the event loop goes on changing the sources meanwhile.
            troubled = {repo: copy(source) for repo, source in self._sources.all().items() if _is_troubled(source)}
            made = await self._reads.always(("findings", moment), every, troubled, self._served())
            self._made = moment, made
        return self._with_limits()

    def _with_limits(self) -> list[Finding]:
        near = [of_limit(limit) for limit in self.capacity.near()]
        return sorted([*self._made[1], *near], key=Finding.key) if near else self._made[1]

    def _moment(self) -> tuple[int, int]:
        return self._sources.generation, self._federation.document.serial

    def _served(self) -> Served:
        return Served(self._federation.edition, self._federation.since)


def _is_troubled(source: Source) -> bool:
    """Tell whether there may be a finding about *source*."""
    return source.status.error is not None or source.held is not None or source.status.state == "never"
