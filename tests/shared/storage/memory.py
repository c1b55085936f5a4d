"""A store that keeps nothing on disk: what Store asks for, and no more. It shows that the interface is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.problems import RepoNotFound
from shared.storage import Bounds, Change, Edited, Store
from shared.storage.ledger import Ledger, Note, must_be_new, must_match
from shared.storage.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.clock import Clock
    from shared.model.author import Author
    from shared.model.registration import Registration, Wanted
    from shared.problems import Problem
    from shared.storage import Facts
    from shared.storage.ledger import Decision, Edit


class MemoryStore(Store):
    """Decides by the same rules, at once."""

    def __init__(self, clock: Clock, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - immutable
        """Begin with nothing."""
        self._clock = clock
        self._ledger = Ledger((), 0, bounds)
        self._lines = Lines()

    async def get(self, repo: str) -> Registration:
        """Keep the promise of Store, as all of these do."""
        return self._ledger.get(repo)

    async def registrations(self) -> Sequence[Registration]:
        """Keep the promise."""
        return self.all()

    def all(self) -> Sequence[Registration]:
        """Keep the promise."""
        return [self._ledger.rows[repo] for repo in sorted(self._ledger.rows)]

    async def add(self, wanted: Wanted, author: Author) -> Registration:
        """Keep the promise."""

        def edit(current: Registration | None) -> Wanted:
            must_be_new(current)
            return wanted

        return _after(self._write(wanted.repo, edit, author)).after

    async def refusal(self, wanted: Wanted, author: Author) -> Problem | None:
        """Keep the promise."""
        return self._ledger.refusal(wanted, author)

    async def replace(self, wanted: Wanted, author: Author, if_match: str | None = None) -> Edited:
        """Keep the promise."""

        def edit(current: Registration | None) -> Wanted:
            must_match(current, if_match)
            return wanted

        return _after(self._write(wanted.repo, edit, author))

    async def update(
        self, repo: str, edit: Callable[[Registration], Wanted], author: Author, if_match: str | None = None
    ) -> Edited:
        """Keep the promise."""
        known = self._ledger.get(repo)
        must_match(known, if_match)
        return _after(self._write(repo, lambda _: edit(known), author))

    async def remove(self, repo: str, author: Author, if_match: str | None = None) -> Registration:
        """Keep the promise."""
        known = self._ledger.get(repo)
        must_match(known, if_match)
        self._write(repo, lambda _: None, author)
        return known

    async def note(self, repo: str, action: str, author: Author, before: Facts, after: Facts) -> None:
        """Keep the promise."""
        self._write(repo, Note(action, before, after), author)

    async def history(self, repo: str) -> Sequence[Change]:
        """Keep the promise."""
        if not (lines := self._lines.of(repo)):
            raise RepoNotFound(f"{repo} was never registered.")
        return lines

    async def close(self) -> None:
        """Keep the promise: there is nothing to let go of."""

    def _write(self, repo: str, edit: Edit | Note, author: Author) -> Decision:
        decision, change = self._ledger.decide(repo, edit, author, self._clock.exact_stamp())
        if change is not None:
            self._ledger.apply(repo, decision, change.revision)
            self._lines.keep(self._lines.numbered([change]))
        return decision


def _after(decision: Decision) -> Edited:
    assert decision.after is not None
    return Edited(decision.before, decision.after)
