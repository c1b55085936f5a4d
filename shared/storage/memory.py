"""A store of registrations that keeps nothing on disk: for tests, and for measuring what the disk costs.

It keeps every promise of Store but one: nothing is left of it when its process ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.model.rules import DEFAULT_BOUNDS, RegistrationBounds
from shared.problems import RepoNotFound
from shared.storage.ledger import Ledger, LedgerStore
from shared.storage.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.clock import Clock
    from shared.model.author import Author
    from shared.model.history import Change
    from shared.model.rules import Decision, Edit, Note


class MemoryStore(LedgerStore):
    """Decides at once: a write never waits, so none comes between it and what it decides on."""

    def __init__(self, clock: Clock, bounds: RegistrationBounds = DEFAULT_BOUNDS) -> None:
        """Begin with nothing."""
        super().__init__(Ledger((), 0, bounds))
        self._clock = clock
        self._lines = Lines()

    async def history(self, repo: str) -> Sequence[Change]:
        """Keep the promise."""
        if not (lines := self._lines.of(repo)):
            raise RepoNotFound(f"{repo} was never registered, or nothing is left of its history.")
        return lines

    async def close(self) -> None:
        """Keep the promise: there is nothing to let go of."""

    async def _write(self, repo: str, edit: Edit | Note, author: Author) -> Decision:
        decision = self._ledger.decide(repo, edit, author, self._clock.exact_stamp())
        if decision.line is not None:
            self._ledger.apply(decision)
            self._lines.keep(self._lines.numbered([decision.line]))
        return decision
