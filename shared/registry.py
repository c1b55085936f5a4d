"""The use cases on registrations and their sources, each one call that keeps the order of its steps.

A change is stored, then the sources follow it, then the federated index shows it, then every search does. Handlers pass
the author and the fields; rights and quotas are checked here and in the store, so that no other caller (a hook, a tool
for agents) can leave them out. Nothing here knows HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from shared.problems import HeldReplaced, NotShownYet, Problem, StorageUnavailable
from shared.shortage import log_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from shared.federation import Document, Federation
    from shared.model.author import Author
    from shared.model.registration import Registration, RegistrationFields
    from shared.model.rules import Precondition
    from shared.model.source import Outcome
    from shared.quotas import Quotas
    from shared.search import Search
    from shared.sources import Sources
    from shared.sources.dry_run import DryRun
    from shared.storage import Edited, Store

_Result = TypeVar("_Result")
_log = logging.getLogger("hub")


@dataclass(frozen=True)
class Registry:
    """Changes registrations, and what is served of their sources.

    Each method may raise TooManyRequests (the token asked too often), Forbidden (it does not cover the repo) and
    StorageUnavailable; nothing is changed then but what their details say. Methods that wait until the federated index
    shows the change raise NotShownYet where it can't be written: the change stays.

    A change that is stored is carried to its end though the calling task is cancelled meanwhile, as a server does with
    requests that outlast its stop: a registration that is stored and not followed would not be fetched, and one that is
    removed and still followed would be served, until the next start. A call that is refused has changed nothing.
    """

    store: Store
    sources: Sources
    federation: Federation
    search: Search
    dry_run: DryRun
    quotas: Quotas
    _under_way: set[asyncio.Task[Any]] = field(default_factory=set, init=False)

    async def register(self, new: RegistrationFields, author: Author) -> Registration:
        """Register *new*; its source is due at once. Raise RepoExists, UrlRegistered or RegistrationsFull."""
        self.quotas.count_write(author)

        async def steps() -> Registration:
            registration = await self.store.add(new, author)
            self.sources.watch(registration)
            return registration

        return await self._to_its_end(steps())

    async def try_out(self, new: RegistrationFields, author: Author) -> tuple[Problem | None, dict[str, Any]]:
        """Return the problem that ``register`` would raise for *new* now, or None, and the verdict of ``DryRun.run``.

        It counts as a fetch and stores nothing. Raise Overloaded while too many sources are tried out.
        """
        refusal = await self.store.refusal(new, author)
        self.quotas.count_refresh(author)
        with self.quotas.trial(author):
            verdict = await self.dry_run.run(new, self.sources.parts(), author.name)
        if refusal is not None:
            verdict["served_count"] = 0
        return refusal, verdict

    async def replace(
        self, new: RegistrationFields, author: Author, precondition: Precondition | None = None
    ) -> Edited:
        """Replace the registration of ``new.repo`` by *new*, or register it; return when the index shows the change.

        Raise UrlRegistered, RegistrationsFull or PreconditionFailed. Where the fields are equal, nothing changes. A new
        registration has no content to show yet, so its return waits for none.
        """
        self.quotas.count_write(author)
        return await self._edit(self.store.replace(new, author, precondition), "replaced")

    async def update(
        self,
        repo: str,
        change: Callable[[Registration], RegistrationFields],
        author: Author,
        precondition: Precondition | None = None,
    ) -> Edited:
        """Replace the registration of *repo* by the result of *change*; return when the index shows it.

        *change* may raise, and then nothing changes. Raise RepoNotFound, UrlRegistered or PreconditionFailed.
        """
        self.quotas.count_write(author)
        return await self._edit(self.store.update(repo, change, author, precondition), "changed")

    async def _edit(self, write: Coroutine[Any, Any, Edited], participle: str) -> Edited:
        async def steps() -> tuple[Edited, bool]:
            edited = await write
            return edited, self.sources.watch(edited.after)

        edited, to_show = await self._to_its_end(steps())
        if to_show:
            repo, revision = edited.after.repo, edited.after.revision
            await self.shown(f"The registration of {repo} is {participle}, and at revision {revision}.")
        return edited

    async def deregister(self, repo: str, author: Author, precondition: Precondition | None = None) -> None:
        """Remove the registration of *repo* and the content of its source; return when the index shows it.

        Raise RepoNotFound or PreconditionFailed.
        """
        self.quotas.count_write(author)

        async def steps() -> None:
            await self.store.remove(repo, author, precondition)
            self.sources.forget(repo)

        await self._to_its_end(steps())
        await self.shown(f"{repo} is deregistered.")

    async def refresh(self, repo: str, author: Author) -> Outcome:
        """Check the source of *repo* now, whatever its schedule says; return the outcome when the index shows it.

        It counts as a fetch of *author*, who must own the repo. Raise RepoNotFound or RepoDisabled.
        """
        registration = await self.store.get(repo)
        author.must_own(registration, registration.registered_by)
        self.quotas.count_refresh(author)
        # Sources runs the check to its end though this task is cancelled, so it needs no ``_to_its_end``.
        outcome = await self.sources.refresh(repo)
        await self.shown(f"{repo} was checked: {outcome.outcome}.")
        return outcome

    async def accept(self, repo: str, author: Author, digest: str | None = None) -> Outcome:
        """Serve the held content of *repo*, as its owner asks; return the outcome when the index shows it.

        *digest* is that of the held content which the caller saw; where another is held by now, raise HeldReplaced.
        Raise RepoNotFound or NothingHeld.
        """
        self.quotas.count_write(author)
        registration = await self.store.get(repo)
        author.must_own(registration, registration.registered_by)

        async def steps() -> Outcome:
            async with self.sources.deciding(repo):
                served, held = self.sources.held(repo)
                if digest not in {None, held.content.digest}:
                    now = f"What is held of {repo} now has the digest {held.content.digest}."
                    raise HeldReplaced(f"{now} Nothing was let in.")
                # Written ahead: of an acceptance that a full disk stops there is a line, but none is without one.
                await self.store.note(repo, "accept", author, served.facts(), held.facts())
                return await self.sources.accept(repo, served, held)

        outcome = await self._to_its_end(steps())
        await self.shown(f"What was held of {repo} is let in.")
        return outcome

    async def compose(self, author: Author, *, force: bool = False) -> list[Outcome]:
        """Check every source that is due, or with *force* every enabled one whose host is in no cool-down.

        Checks in progress are joined; return the outcomes, sorted by repo, when the index shows them. However many
        there are, they count as one fetch of *author*, who must be an admin to force them.
        """
        if force:
            author.must_be_admin()
        self.quotas.count_refresh(author)
        schedule = self.sources.schedule
        due = schedule.forced() if force else schedule.due()
        outcomes = await self.sources.refresh_all({*due, *self.sources.under_way()})
        checked = "1 source was" if len(outcomes) == 1 else f"{len(outcomes):,} sources were"
        await self.shown(f"{checked} checked; what was let in is kept.")
        return outcomes

    async def shown(self, done: str) -> Document:
        """Return the document once it, and every search from now on, shows what was written; raise NotShownYet.

        *done* is the sentence that says what was written: that is durable though the document can't be made, and the
        problem says so.
        """
        try:
            document = await self.federation.shown()
        except Exception as fault:
            raise _not_shown(done, fault) from fault
        await self.search.promise()
        return document

    async def close(self) -> None:
        """Wait for the writes in progress; call it before the store and the sources are closed."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _to_its_end(self, steps: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the result of *steps*, which run to their end though the caller is cancelled meanwhile."""
        task = asyncio.create_task(steps)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def _not_shown(done: str, fault: Exception) -> NotShownYet:
    """Return the problem of a write, told by the sentence *done*, that *fault* keeps from being shown."""
    status, why = None, "composing it failed"
    if isinstance(fault, StorageUnavailable):
        status = fault.answer_status
        why = fault.cause
    else:
        log_failure(_log, "composing failed", fault)
    rest = "It will as soon as that works again; until then reading shows what was served before."
    return NotShownYet(f"{done} The federated index does not show it yet: {why}. {rest}", status=status)
