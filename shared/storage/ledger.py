"""The registrations as one value: which writes are allowed, and what each does. No files, no tasks.

A second store behind the same interface keeps these rules by deciding through a Ledger of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from shared.fetch import urls
from shared.model.registration import Registration
from shared.problems import PreconditionFailed, RegistrationsFull, RepoExists, RepoNotFound, UrlRegistered
from shared.storage import Bounds, Change
from shared.web.answers import tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from shared.model.author import Author
    from shared.model.registration import Wanted
    from shared.problems import Problem
    from shared.storage import Facts

    Edit = Callable[[Registration | None], Wanted | None]


class Decision(NamedTuple):
    """A registration before and after a write: None where there is none, the same object where nothing changes."""

    before: Registration | None
    after: Registration | None


class Note(NamedTuple):
    """A line of history that changes no registration."""

    action: str
    before: Facts
    after: Facts


class Ledger:
    """Registrations by repo, who holds which URL, and the highest revision that a deregistered repo had (*retired*).

    New registrations start beyond that one, so that no If-Match from an earlier life of a name holds again. *sequence*
    is the highest number that a registration got, of those that are gone too: no two ever have the same.
    """

    def __init__(
        self,
        rows: Iterable[Registration],
        retired: int = 0,
        bounds: Bounds = Bounds(),  # noqa: B008 - immutable
        sequence: int = 0,
    ) -> None:
        self.rows = {row.repo: row for row in rows}
        self.retired = retired
        self.bounds = bounds
        self._urls = {urls.normal(row.url): row.repo for row in self.rows.values()}
        self._by_token = Counter(row.registered_by for row in self.rows.values())
        self.sequence = max((row.sequence for row in self.rows.values()), default=0)
        self.sequence = max(self.sequence, sequence)

    def get(self, repo: str) -> Registration:
        """Return the registration of *repo*, or raise RepoNotFound."""
        if repo not in self.rows:
            raise RepoNotFound(f"{repo} is not registered.")
        return self.rows[repo]

    def last_revision(self, repo: str) -> int:
        """Return the revision of *repo*, or where it is not registered one that was never passed by it."""
        return self.rows[repo].revision if repo in self.rows else self.retired

    def decide(self, repo: str, edit: Edit | Note, author: Author, now: str) -> tuple[Decision, Change | None]:
        """Return what *edit* makes of *repo* and the line of history, or None where nothing changes.

        *edit* gets the registration or None, and returns what is wanted or None; it may raise. Raise Forbidden where
        *author* may not write the one or the other, UrlRegistered or RegistrationsFull. Nothing is kept yet. A note is
        only a line.
        """
        if isinstance(edit, Note):
            return self._noted(self.get(repo), edit, author, now)
        before = self.rows.get(repo)
        holder = None if before is None else before.registered_by
        if before is not None:
            author.must_own(before, holder)
        wanted = edit(before)
        if before is not None and wanted == before.wanted():
            return Decision(before, before), None
        if wanted is not None:
            author.must_own(wanted, holder)
            self._check_url(repo, wanted.url)
        revision = self.last_revision(repo) + 1
        if before is None and wanted is not None:
            self._check_room(author)
            decision = Decision(None, self._new(wanted, revision, author, now))
        elif before is not None and wanted is not None:
            decision = Decision(before, replace(before, **wanted.as_json(), updated_at=now, revision=revision))
        else:
            decision = Decision(before, None)
        return decision, _change(decision, revision, author, now)

    def _new(self, wanted: Wanted, revision: int, author: Author, now: str) -> Registration:
        fields = {"registered_at": now, "updated_at": now, "registered_by": author.name, "revision": revision}
        return Registration.from_json(wanted.as_json() | fields | {"sequence": self.sequence + 1})

    def _check_room(self, author: Author) -> None:
        in_all, per_token = self.bounds
        if len(self.rows) >= in_all:
            raise RegistrationsFull(f"This hub takes {in_all:,} registrations, and has as many.")
        if author.grant is not None and self._by_token[author.name] >= per_token:
            says = f"The token {author.name} has registered {per_token:,} repos that are still registered"
            raise RegistrationsFull(f"{says}, and this hub takes no more of one token.")

    def refusal(self, wanted: Wanted, author: Author) -> Problem | None:
        """Return why *wanted* could not be registered now, or None; raise Forbidden where *author* may not."""

        def edit(current: Registration | None) -> Wanted:
            must_be_new(current)
            return wanted

        try:
            self.decide(wanted.repo, edit, author, "")
        except (RepoExists, UrlRegistered, RegistrationsFull) as problem:
            return problem
        return None

    def _noted(self, row: Registration, note: Note, author: Author, now: str) -> tuple[Decision, Change]:
        author.must_own(row, row.registered_by)
        line = Change(
            repo=row.repo,
            at=now,
            by=author.name,
            action=note.action,
            revision=row.revision,
            before=note.before,
            after=note.after,
            request_id=author.request_id,
        )
        return Decision(row, row), line

    def _check_url(self, repo: str, url: str) -> None:
        holder = self._urls.get(urls.normal(url), repo)
        if holder != repo:
            raise UrlRegistered(f"{holder} is registered with this URL, by {self.rows[holder].registered_by}.")

    def apply(self, repo: str, edited: Decision, revision: int) -> None:
        """Keep what was decided."""
        if edited.before is not None:
            # Of two that say the same by now, because the rule what is the same URL has changed, one holds it.
            if self._urls.get(held := urls.normal(edited.before.url)) == repo:
                del self._urls[held]
            self._by_token[edited.before.registered_by] -= 1
        if edited.after is None:
            self.rows.pop(repo, None)
            self.retired = max(self.retired, revision)
        else:
            self.rows[repo] = edited.after
            self._urls[urls.normal(edited.after.url)] = repo
            self._by_token[edited.after.registered_by] += 1
            self.sequence = max(self.sequence, edited.after.sequence)

    def copy(self) -> Ledger:
        """Return a ledger that changes independently of this one."""
        twin = Ledger((), self.retired, self.bounds, self.sequence)
        twin.rows = dict(self.rows)
        twin._urls = dict(self._urls)
        twin._by_token = +self._by_token
        return twin


def _change(decision: Decision, revision: int, author: Author, now: str) -> Change:
    before, after = decision
    named = after or before
    assert named is not None  # noqa: S101 - a change is of something
    old = None if before is None else before.wanted().as_json()
    new = None if after is None else after.wanted().as_json()
    if old is not None and new is not None:
        changed = [name for name in old if old[name] != new[name]]
        old, new = ({name: fields[name] for name in changed} for fields in (old, new))
    return Change(
        repo=named.repo,
        at=now,
        by=author.name,
        action="register" if old is None else "deregister" if new is None else "update",
        revision=revision,
        before=old,
        after=new,
        request_id=author.request_id,
    )


def must_be_new(current: Registration | None) -> None:
    """Raise RepoExists if *current* is a registration."""
    if current is not None:
        raise RepoExists(f"{current.repo} is registered already, with the URL {current.url}.")


def must_match(current: Registration | None, if_match: str | None) -> None:
    """Raise PreconditionFailed unless ``If-Match`` holds for *current* (RFC 9110 §13.1.1, strong comparison)."""
    if if_match is None:
        return
    # Made once: a header may name thousands of tags, and each making digests the whole registration.
    names = set() if current is None else {"*", current.etag}
    held = any(not weak and tag in names for weak, tag in tags(if_match))
    if not held:
        raise PreconditionFailed(f"If-Match does not hold: {_now(current)}")


def _now(current: Registration | None) -> str:
    if current is None:
        return "the repo is not registered."
    then = "Read it again, and if the change is still wanted send the ETag of that answer"
    return f"the repo is at revision {current.revision}, with another ETag. {then}; a revision alone is none."
