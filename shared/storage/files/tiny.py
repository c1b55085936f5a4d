"""The store on TinyDB: reads from memory, and writers that arrive together share one write of each file."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from shared.model.author import Author
from shared.model.registration import Registration, is_name
from shared.problems import Problem, RepoNotFound, StorageUnavailable
from shared.shortage import log_failure
from shared.storage import Bounds, Change, Edited, Store
from shared.storage.files.disk import trusted
from shared.storage.files.history import History
from shared.storage.files.saved import fitting
from shared.storage.files.table import REMEDY, Database, Gone
from shared.storage.ledger import Decision, Ledger, Note, must_be_new, must_match

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shared.clock import Clock
    from shared.model.registration import Wanted
    from shared.storage import Facts
    from shared.storage.ledger import Edit
    from shared.tally import Tally

_REGISTRATIONS = "registrations.json"
_HISTORY = "history.jsonl"
_BATCH = 256
_log = logging.getLogger("hub.store")

_Write = tuple[str, "Edit | Note", Author, "asyncio.Future[Decision]"]
_Outcome = Decision | Exception


class TinyStore(Store):
    """Keeps the promises of Store. Only the event loop's thread touches the memory, only one thread the files."""

    def __init__(self, folder: Path, clock: Clock, tally: Tally, bounds: Bounds = Bounds()) -> None:  # noqa: B008 - immutable
        """Read what *folder* holds, or raise StartError when it can't be trusted."""
        self._clock = clock
        self._tally = tally
        self._database = Database(folder / _REGISTRATIONS)
        self._ledger = _ledger(self._database, folder / _REGISTRATIONS, bounds)
        self._history = History(folder / _HISTORY, self._ledger.last_revision)
        self._in_order: tuple[Ledger | None, Sequence[Registration]] = (None, ())
        self._waiting: list[_Write] = []
        self._writer: asyncio.Task[None] | None = None
        self._files = asyncio.Lock()

    def upgrade(self) -> None:
        """Bring files of an older format to the present one; raise StorageUnavailable."""
        self._database.upgrade()

    async def get(self, repo: str) -> Registration:
        return self._ledger.get(repo)

    async def registrations(self) -> Sequence[Registration]:
        return self.all()

    def all(self) -> Sequence[Registration]:
        """Return what ``registrations`` does, for the start, before there is an event loop."""
        ledger, in_order = self._in_order
        if ledger is not self._ledger:
            # Each batch of writes leaves another ledger; reads in between share one list.
            in_order = [self._ledger.rows[repo] for repo in sorted(self._ledger.rows)]
            self._in_order = self._ledger, in_order
        return in_order

    async def add(self, wanted: Wanted, author: Author) -> Registration:
        def edit(current: Registration | None) -> Wanted:
            must_be_new(current)
            return wanted

        return _edited(await self._write(wanted.repo, edit, author)).after

    async def refusal(self, wanted: Wanted, author: Author) -> Problem | None:
        return self._ledger.refusal(wanted, author)

    async def replace(self, wanted: Wanted, author: Author, if_match: str | None = None) -> Edited:
        def edit(current: Registration | None) -> Wanted:
            must_match(current, if_match)
            return wanted

        return _edited(await self._write(wanted.repo, edit, author))

    async def update(
        self, repo: str, edit: Callable[[Registration], Wanted], author: Author, if_match: str | None = None
    ) -> Edited:
        def checked(current: Registration | None) -> Wanted:
            known = _known(current, repo)
            must_match(known, if_match)
            return edit(known)

        return _edited(await self._write(repo, checked, author))

    async def remove(self, repo: str, author: Author, if_match: str | None = None) -> Registration:
        def edit(current: Registration | None) -> None:
            must_match(_known(current, repo), if_match)

        return _known((await self._write(repo, edit, author)).before, repo)

    async def note(self, repo: str, action: str, author: Author, before: Facts, after: Facts) -> None:
        await self._write(repo, Note(action, before, after), author)

    async def history(self, repo: str) -> Sequence[Change]:
        changes = self._history.lines.of(repo)
        if not changes and repo not in self._ledger.rows:
            raise RepoNotFound(f"{repo} was never registered, or nothing is left of its history.")
        return changes

    def quiet(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Return a context in which nothing is written: a write under way ends first, others wait."""
        return self._files

    async def close(self) -> None:
        while self._writer is not None:
            await self._writer

    async def _write(self, repo: str, edit: Edit | Note, author: Author) -> Decision:
        done: asyncio.Future[Decision] = asyncio.get_running_loop().create_future()
        # First the task, which begins later: a write whose caller was told that it failed must not come with the next.
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_batches())
        self._waiting.append((repo, edit, author, done))
        return await done

    async def _write_batches(self) -> None:
        """Write until nobody waits. What arrives while a batch is on its way to disk makes up the next one."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
                await self._write_batch(batch)
        finally:
            self._writer = None

    async def _write_batch(self, batch: list[_Write]) -> None:
        outcomes: list[_Outcome]
        try:
            staged = self._ledger.copy()
            changes: list[Change] = []
            outcomes = [_decided(staged, write, self._clock.exact_stamp(), changes) for write in batch]
            if changes:
                changes = self._history.lines.numbered(changes)
                await self._save_counted(staged, changes)
        except Exception as fault:  # noqa: BLE001 - whoever waits must be told, whatever it was
            # Refusals wait for the disk too: they may rest on writes of this batch.
            outcomes = [_refusal(fault)] * len(batch)
        else:
            self._ledger = staged
            self._keep(changes)
        for (*_, done), outcome in zip(batch, outcomes, strict=True):
            _tell(done, outcome)

    def _keep(self, changes: list[Change]) -> None:
        try:
            self._history.lines.keep(changes)
        except Exception as fault:  # noqa: BLE001 - logged; they are written, and those who wait must be told
            log_failure(_log, f"{len(changes)} lines of history can be read after the next start only", fault)

    async def _save_counted(self, staged: Ledger, changes: list[Change]) -> None:
        started, result = self._clock.monotonic(), "failed"
        try:
            async with self._files:
                await asyncio.to_thread(self._save, staged, changes)
            result = "done"
        finally:
            self._tally.registered(result, len(changes), self._clock.monotonic() - started)

    def _save(self, staged: Ledger, changes: list[Change]) -> None:
        self._history.append(changes)
        try:
            changed = {change.repo: _row(staged, change.repo) for change in changes}
            self._database.save(changed, Gone(staged.retired, staged.sequence))
        except BaseException as fault:
            self._history.withdraw(in_doubt=isinstance(fault, StorageUnavailable) and fault.in_doubt)
            raise


def _ledger(database: Database, path: Path, bounds: Bounds) -> Ledger:
    with trusted(path, REMEDY):
        rows, gone = database.load()
        registrations = {repo: fitting(Registration.from_json(row)) for repo, row in rows.items()}
        for repo, one in registrations.items():
            if repo != one.repo or not is_name(repo):
                raise ValueError(repo)
        return Ledger(registrations.values(), gone.revision, bounds, gone.sequence)


def _edited(decision: Decision) -> Edited:
    """Return the decision about an edit that always wants a registration."""
    assert decision.after is not None  # noqa: S101 - such an edit never returns None
    return Edited(decision.before, decision.after)


def _row(ledger: Ledger, repo: str) -> dict[str, Any] | None:
    return ledger.rows[repo].as_row() if repo in ledger.rows else None


def _known(current: Registration | None, repo: str) -> Registration:
    if current is None:
        raise RepoNotFound(f"{repo} is not registered.")
    return current


def _decided(staged: Ledger, write: _Write, now: str, changes: list[Change]) -> _Outcome:
    """Apply one write to *staged* and note its line of history; return why where it is refused."""
    repo, edit, author, _ = write
    try:
        decision, change = staged.decide(repo, edit, author, now)
    except Exception as refusal:  # noqa: BLE001 - one writer's fault is told to that writer, the batch goes on
        return refusal
    if change is not None:
        staged.apply(repo, decision, change.revision)
        changes.append(change)
    return decision


def _refusal(fault: Exception) -> Problem:
    """Return what is told to those whose write *fault* stopped: a volume that refuses, or a machine that is short."""
    if isinstance(fault, Problem):
        return fault
    log_failure(_log, "writing registrations failed", fault)
    return StorageUnavailable("The write could not begin; the log says why. Nothing was changed; try again later.")


def _tell(done: asyncio.Future[Decision], outcome: _Outcome) -> None:
    if done.cancelled():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
