"""Which writes of registrations are allowed, and what each makes of one: rules for one row, without HTTP or storage.

A storage engine decides a write in two steps, both while nobody else can change what it has read:

1. ``target(current, edit, author)`` says what the registration of a repo has to become.
2. The engine looks up who holds the URL of that, and what else a DecisionBasis has. ``decide`` returns what to keep.

What happens in between (a look at an index in memory, a query) is the engine's affair, and so are its locks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from shared.model import history
from shared.model.registration import Registration
from shared.problems import PreconditionFailed, RegistrationsFull, RepoExists, RepoNotFound, UrlRegistered

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.model.author import Author
    from shared.model.history import Change, Facts
    from shared.model.registration import RegistrationFields
    from shared.problems import Problem

    Edit = Callable[[Registration | None], RegistrationFields | None]
    """Returns what a registration (None: there is none) has to become, None to deregister it; raises to refuse."""


class RegistrationBounds(NamedTuple):
    """How many registrations there may be *in_all*, and how many that one token made which is no admin's."""

    in_all: int = 20_000
    per_token: int = 2_000


DEFAULT_BOUNDS = RegistrationBounds()


class DecisionBasis(NamedTuple):
    """What the decision about one repo depends on, as of one moment.

    *current* is its registration, None where it is not registered. *last_revision* is the revision of that, or else one
    that was never passed in an earlier life of the name, so that no entity tag of then holds again. *url_holder* is the
    registration, of this repo or another, that has the URL of the target (by ``shared.fetch.urls.normal``), None where
    none has. *sequence* is the highest number that a registration ever got, of those that are gone too: no two have the
    same. *in_all* counts the registrations, *of_author* those that the author made.
    """

    current: Registration | None = None
    last_revision: int = 0
    url_holder: Registration | None = None
    sequence: int = 0
    in_all: int = 0
    of_author: int = 0
    bounds: RegistrationBounds = DEFAULT_BOUNDS


class Decision(NamedTuple):
    """A registration before and after a write, None where there is none, and the line that its history gets.

    *after* is the very object *before* where no registration changes, and *line* is None where nothing at all does.
    """

    before: Registration | None
    after: Registration | None
    line: Change | None = None


class Note(NamedTuple):
    """A line of history that changes no registration."""

    action: str
    before: Facts
    after: Facts


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a write demands of the registration as it is: an entity tag out of *tags* (``Registration.etag``).

    Where it need only *exist*, any will do. Nothing holds of a repo that is not registered.
    """

    tags: frozenset[str] = frozenset()
    exist: bool = False

    def must_hold(self, current: Registration | None) -> None:
        """Raise PreconditionFailed unless *current* is what is demanded (RFC 9110 §13.1.1)."""
        if current is None:
            raise PreconditionFailed("If-Match does not hold: the repo is not registered.")
        if not self.exist and current.etag not in self.tags:
            then = "Read it again, and if the change is still wanted send the ETag of that answer"
            says = f"the repo is at revision {current.revision}, with another ETag. {then}; a revision alone is none."
            raise PreconditionFailed(f"If-Match does not hold: {says}")


def to_add(fields: RegistrationFields) -> Edit:
    """Return the edit that registers *fields*; it raises RepoExists where its repo is registered."""

    def edit(current: Registration | None) -> RegistrationFields:
        if current is not None:
            raise RepoExists(f"{current.repo} is registered already, with the URL {current.url}.")
        return fields

    return edit


def to_replace(fields: RegistrationFields, precondition: Precondition | None) -> Edit:
    """Return the edit that makes a registration say *fields*, whether there was one or not."""

    def edit(current: Registration | None) -> RegistrationFields:
        if precondition is not None:
            precondition.must_hold(current)
        return fields

    return edit


def to_update(
    repo: str, change: Callable[[Registration], RegistrationFields], precondition: Precondition | None
) -> Edit:
    """Return the edit that does *change*; it raises RepoNotFound where there is nothing to change."""

    def edit(current: Registration | None) -> RegistrationFields:
        registration = must_be_registered(current, repo)
        if precondition is not None:
            precondition.must_hold(registration)
        return change(registration)

    return edit


def to_remove(repo: str, precondition: Precondition | None) -> Edit:
    """Return the edit that deregisters; it raises RepoNotFound where there is nothing to deregister."""

    def edit(current: Registration | None) -> None:
        registration = must_be_registered(current, repo)
        if precondition is not None:
            precondition.must_hold(registration)

    return edit


def must_be_registered(current: Registration | None, repo: str) -> Registration:
    """Return *current*, the registration of *repo*, or raise RepoNotFound."""
    if current is None:
        raise RepoNotFound(f"{repo} is not registered.")
    return current


def target(current: Registration | None, edit: Edit, author: Author) -> RegistrationFields | None:
    """Return the fields that *edit* gives the registration, None to deregister it.

    Raise Forbidden, or what *edit* raises. Forbidden comes first: another refusal would tell a token about a
    registration that is not its own.
    """
    if current is not None:
        author.must_own(current, current.registered_by)
    return edit(current)


def decide(basis: DecisionBasis, fields: RegistrationFields | None, author: Author, now: str) -> Decision:
    """Return the decision that *author* gives a registration *fields* at *now* (RFC 3339).

    None deregisters. Where it has them already, nothing changes. Raise Forbidden where *author* may not write the
    registration as it is or as it is to be, UrlRegistered or RegistrationsFull. Nothing is stored yet.
    """
    before, revision = basis.current, basis.last_revision + 1
    registered_by = None if before is None else before.registered_by
    # Both: nobody takes over what belongs to others, nor moves a repo into a domain that the token does not cover.
    for subject in (before, fields):
        if subject is not None:
            author.must_own(subject, registered_by)
    if before is not None and fields is None:
        return Decision(before, None, history.deregistering(before, revision, author, now))
    if fields is None or (before is not None and fields == before.client_fields()):
        return Decision(before, before)
    _check_url(basis.url_holder, fields)
    if before is None:
        _check_room(basis, author)
        after = _new(basis, fields, author, now)
        return Decision(None, after, history.registering(after, author, now))
    after = replace(before, **fields.as_json(), updated_at=now, revision=revision)
    return Decision(before, after, history.updating(before, after, author, now))


def refusal(basis: DecisionBasis, fields: RegistrationFields, author: Author) -> Problem | None:
    """Return why *fields* could not be registered now, or None; raise Forbidden where *author* may not."""
    try:
        decide(basis, target(basis.current, to_add(fields), author), author, "")
    except (RepoExists, UrlRegistered, RegistrationsFull) as problem:
        return problem
    return None


def annotate(current: Registration, note: Note, author: Author, now: str) -> Decision:
    """Return the decision that gives *current* the line *note* and leaves it as it is; raise Forbidden."""
    author.must_own(current, current.registered_by)
    return Decision(current, current, history.line(current, note, author, now))


def _new(basis: DecisionBasis, fields: RegistrationFields, author: Author, now: str) -> Registration:
    return Registration(
        **fields.as_json(),
        registered_at=now,
        updated_at=now,
        registered_by=author.name,
        revision=basis.last_revision + 1,
        sequence=basis.sequence + 1,
    )


def _check_url(holder: Registration | None, fields: RegistrationFields) -> None:
    if holder is not None and holder.repo != fields.repo:
        raise UrlRegistered(f"{holder.repo} is registered with this URL, by {holder.registered_by}.")


def _check_room(basis: DecisionBasis, author: Author) -> None:
    in_all, per_token = basis.bounds
    if basis.in_all >= in_all:
        raise RegistrationsFull(f"This hub takes {in_all:,} registrations, and has as many.")
    if author.grant is not None and basis.of_author >= per_token:
        says = f"The token {author.name} has registered {per_token:,} repos that are still registered"
        raise RegistrationsFull(f"{says}, and this hub takes no more of one token.")
