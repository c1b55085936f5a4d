"""The history of registrations: each line says who changed what, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from shared.model.author import Author
    from shared.model.registration import Registration

Facts = dict[str, Any]
"""One side of a change in a line: fields of a registration, or the digest and count of an accepted content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One line of history. *before* and *after* hold the changed fields; one is None at the ends of a life.

    A line that changes no registration has the revision of the line before it. *number* orders all lines of a store,
    whatever the clock said.
    """

    repo: str
    at: str
    by: str
    action: str
    revision: int
    before: Facts | None
    after: Facts | None
    request_id: str | None = None
    number: int = field(default=0, compare=False)

    def as_json(self) -> Facts:
        """Return what callers see of it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "number"}


def registering(after: Registration, author: Author, now: str) -> Change:
    """Return the line that begins the life of a registration: it holds every field."""
    return line(after, ("register", None, after.client_fields().as_json()), author, now)


def updating(before: Registration, after: Registration, author: Author, now: str) -> Change:
    """Return the line of a registration that says something else now: it holds the fields that differ."""
    old, new = before.client_fields().as_json(), after.client_fields().as_json()
    changed = [name for name in old if old[name] != new[name]]
    old, new = ({name: side[name] for name in changed} for side in (old, new))
    return line(after, ("update", old, new), author, now)


def deregistering(before: Registration, revision: int, author: Author, now: str) -> Change:
    """Return the line that ends the life of a registration, at a *revision* of its own: it holds every field."""
    return line(before, ("deregister", before.client_fields().as_json(), None), author, now, revision=revision)


def line(
    registration: Registration,
    what: tuple[str, Facts | None, Facts | None],
    author: Author,
    now: str,
    *,
    revision: int | None = None,
) -> Change:
    """Return a line about *registration*, at its revision unless another is given; *what*: action, before, after."""
    action, before, after = what
    return Change(
        repo=registration.repo,
        at=now,
        by=author.name,
        action=action,
        revision=registration.revision if revision is None else revision,
        before=before,
        after=after,
        request_id=author.request_id,
    )
