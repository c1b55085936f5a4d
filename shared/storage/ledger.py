"""All registrations in memory, with the repo that holds each URL: what the rules need to decide a write."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from typing import TYPE_CHECKING

from shared.fetch import urls
from shared.model import rules
from shared.model.rules import DEFAULT_BOUNDS, DecisionBasis, Note, RegistrationBounds
from shared.storage import Edited, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from shared.model.author import Author
    from shared.model.history import Facts
    from shared.model.registration import Registration, RegistrationFields
    from shared.model.rules import Decision, Edit, Precondition
    from shared.problems import Problem


class Ledger:
    """Registrations by repo, who holds which URL, and the highest revision that a deregistered repo had (*retired*).

    New registrations start beyond that one, so that no If-Match from an earlier life of a name holds again. *sequence*
    is the highest number that a registration got, of those that are gone too: no two ever have the same.
    """

    def __init__(
        self,
        rows: Iterable[Registration],
        retired: int = 0,
        bounds: RegistrationBounds = DEFAULT_BOUNDS,
        sequence: int = 0,
    ) -> None:
        self.rows = {row.repo: row for row in rows}
        self.retired = retired
        self.bounds = bounds
        self._urls = {urls.normal(row.url): row.repo for row in self.rows.values()}
        self._by_token = Counter(row.registered_by for row in self.rows.values())
        self.sequence = max((row.sequence for row in self.rows.values()), default=0)
        self.sequence = max(self.sequence, sequence)
        self._in_order: Sequence[Registration] | None = None

    def get(self, repo: str) -> Registration:
        """Return the registration of *repo*, or raise RepoNotFound."""
        return rules.must_be_registered(self.rows.get(repo), repo)

    def all(self) -> Sequence[Registration]:
        """Return all registrations in the order of their names: the same object until one changes, to look at."""
        if self._in_order is None:
            self._in_order = [self.rows[repo] for repo in sorted(self.rows)]
        return self._in_order

    def last_revision(self, repo: str) -> int:
        """Return the revision of *repo*; where it is not registered, one that no registration of that name exceeded."""
        return self.rows[repo].revision if repo in self.rows else self.retired

    def decide(self, repo: str, edit: Edit | Note, author: Author, now: str) -> Decision:
        """Return the decision of the rules on *edit* of *repo*, or raise the problem of a refusal; change nothing."""
        if isinstance(edit, Note):
            return rules.annotate(self.get(repo), edit, author, now)
        target = rules.target(self.rows.get(repo), edit, author)
        return rules.decide(self._basis(repo, target, author), target, author, now)

    def refusal(self, fields: RegistrationFields, author: Author) -> Problem | None:
        """Return why *fields* could not be registered now, or None; raise Forbidden where *author* may not."""
        return rules.refusal(self._basis(fields.repo, fields, author), fields, author)

    def _basis(self, repo: str, target: RegistrationFields | None, author: Author) -> DecisionBasis:
        holder = None if target is None else self._urls.get(urls.normal(target.url))
        return DecisionBasis(
            current=self.rows.get(repo),
            last_revision=self.last_revision(repo),
            url_holder=None if holder is None else self.rows[holder],
            sequence=self.sequence,
            in_all=len(self.rows),
            of_author=self._by_token[author.name],
            bounds=self.bounds,
        )

    def apply(self, decision: Decision) -> None:
        """Change the registrations by *decision*, which ``decide`` returned of this ledger as it is."""
        before, after, line = decision
        if line is None or after is before:
            return
        self._in_order = None
        if before is not None:
            # An upgrade may have changed which URLs are the same: of two registrations that then have one URL, one
            # holds it, and its entry must stay when the other goes.
            if self._urls.get(url := urls.normal(before.url)) == before.repo:
                del self._urls[url]
            self._by_token[before.registered_by] -= 1
        if after is None:
            self.rows.pop(line.repo, None)
            self.retired = max(self.retired, line.revision)
        else:
            self.rows[line.repo] = after
            self._urls[urls.normal(after.url)] = line.repo
            self._by_token[after.registered_by] += 1
            self.sequence = max(self.sequence, after.sequence)

    def copy(self) -> Ledger:
        """Return a ledger that changes independently of this one."""
        # Not ``Ledger(self.rows.values(), …)``: that would normalise every URL again, for each batch of writes.
        twin = Ledger((), self.retired, self.bounds, self.sequence)
        twin.rows = dict(self.rows)
        twin._urls = dict(self._urls)
        # Unary plus copies a Counter without its zeros: tokens without registrations are forgotten here.
        twin._by_token = +self._by_token
        twin._in_order = self._in_order
        return twin


class RulesStore(Store):
    """A store whose writes are decided by the rules; how one is decided and kept is *_write*."""

    @abstractmethod
    async def _write(self, repo: str, edit: Edit | Note, author: Author) -> Decision:
        """Decide *edit* by the registrations after the write before, and return the decision once it is durable."""

    async def add(self, fields: RegistrationFields, author: Author) -> Registration:
        """Keep the promise of Store, as all of these do."""
        return _edited(await self._write(fields.repo, rules.to_add(fields), author)).after

    async def replace(
        self, fields: RegistrationFields, author: Author, precondition: Precondition | None = None
    ) -> Edited:
        """Keep the promise."""
        return _edited(await self._write(fields.repo, rules.to_replace(fields, precondition), author))

    async def update(
        self,
        repo: str,
        change: Callable[[Registration], RegistrationFields],
        author: Author,
        precondition: Precondition | None = None,
    ) -> Edited:
        """Keep the promise."""
        return _edited(await self._write(repo, rules.to_update(repo, change, precondition), author))

    async def remove(self, repo: str, author: Author, precondition: Precondition | None = None) -> Registration:
        """Keep the promise."""
        decision = await self._write(repo, rules.to_remove(repo, precondition), author)
        return rules.must_be_registered(decision.before, repo)

    async def note(self, repo: str, action: str, author: Author, before: Facts, after: Facts) -> None:
        """Keep the promise."""
        await self._write(repo, Note(action, before, after), author)


class LedgerStore(RulesStore):
    """A store whose registrations are all in memory. *_write* changes *_ledger*, or puts another in its place."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def get(self, repo: str) -> Registration:
        """Keep the promise of Store, as all of these do."""
        return self._ledger.get(repo)

    async def registrations(self) -> Sequence[Registration]:
        """Keep the promise."""
        return self.all()

    def all(self) -> Sequence[Registration]:
        """Keep the promise."""
        return self._ledger.all()

    async def refusal(self, fields: RegistrationFields, author: Author) -> Problem | None:
        """Keep the promise."""
        return self._ledger.refusal(fields, author)


def _edited(decision: Decision) -> Edited:
    """Return the decision about an edit that always wants a registration."""
    assert decision.after is not None  # noqa: S101 - such an edit never returns None
    return Edited(decision.before, decision.after)
