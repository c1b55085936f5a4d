"""Registrations and their history, durable: handlers read this interface, ``Registry`` writes it, engines provide it.

What a write may do is decided by ``shared.model.rules``, the same for every store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.model.author import Author
    from shared.model.history import Change, Facts
    from shared.model.registration import Registration, RegistrationFields
    from shared.model.rules import Precondition
    from shared.problems import Problem

PER_REPO = 50
IN_ALL = 10_000
IN_ALL_BYTES = 16 << 20
"""Lines of history that can be read: of one repo, and of all in number and in bytes of JSON (see ``Store.history``)."""


class Edited(NamedTuple):
    """A registration before a write (None where it was new) and after it; the same object where nothing changed."""

    before: Registration | None
    after: Registration


class Store(Protocol):
    """What every store promises.

    A write that returned is on disk. A write that raised changed nothing. Writes of one repo happen one after the
    other; each decides on what the one before it left. Every write may raise StorageUnavailable, and Forbidden
    where the author may not write the repo as it is or as it is to be.
    """

    async def get(self, repo: str) -> Registration:
        """Return the registration of *repo*, or raise RepoNotFound."""
        ...

    async def registrations(self) -> Sequence[Registration]:
        """Return all registrations in the order of their names: the same object until one changes, to look at."""
        ...

    def all(self) -> Sequence[Registration]:
        """Return what ``registrations`` returns, without an event loop: for the start."""
        ...

    async def add(self, fields: RegistrationFields, author: Author) -> Registration:
        """Register *fields*, or raise RepoExists, UrlRegistered or RegistrationsFull."""
        ...

    async def refusal(self, fields: RegistrationFields, author: Author) -> Problem | None:
        """Return the problem that ``add`` would raise now, or None; raise Forbidden as it would."""
        ...

    async def replace(
        self, fields: RegistrationFields, author: Author, precondition: Precondition | None = None
    ) -> Edited:
        """Give the registration of ``fields.repo`` these *fields*, registering it where it is new.

        Raise UrlRegistered, RegistrationsFull, or PreconditionFailed where *precondition* does not hold.
        Where it has them already, nothing changes, not even ``updated_at``.
        """
        ...

    async def update(
        self,
        repo: str,
        change: Callable[[Registration], RegistrationFields],
        author: Author,
        precondition: Precondition | None = None,
    ) -> Edited:
        """Give the registration of *repo* the fields that *change* returns; nothing changes where it raises.

        Raise RepoNotFound, UrlRegistered or PreconditionFailed.
        """
        ...

    async def remove(self, repo: str, author: Author, precondition: Precondition | None = None) -> Registration:
        """Deregister *repo* and return what was registered; raise RepoNotFound or PreconditionFailed."""
        ...

    async def note(self, repo: str, action: str, author: Author, before: Facts, after: Facts) -> None:
        """Add a line to the history of *repo* that changes no registration, or raise RepoNotFound."""
        ...

    async def history(self, repo: str) -> Sequence[Change]:
        """Return the changes of *repo*, newest first, at most 50; also after it was deregistered.

        While a repo is registered its newest line stays, and among its 50 the one of its registration. Of all other
        lines there are 10,000, in 16 MiB: what is more is taken from the token that has most of them, the oldest first.
        Raise RepoNotFound for a repo that was never registered, or so long ago that nothing is left of it.
        """
        ...

    async def close(self) -> None:
        """Finish the writes that were accepted, then close the files."""
        ...
