"""The store on TinyDB: reads from memory, and writers that arrive together share one write of each file."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from shared.disk import trusted
from shared.model.author import Author
from shared.model.registration import Registration, is_name
from shared.model.rules import DEFAULT_BOUNDS, Decision, RegistrationBounds
from shared.problems import Problem, RepoNotFound, StorageUnavailable
from shared.saved import fitting
from shared.shortage import log_failure
from shared.storage.files.history import History
from shared.storage.files.table import REMEDY, Database, RetiredNumbers
from shared.storage.ledger import Ledger, LedgerStore

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Sequence
    from pathlib import Path

    from shared.clock import Clock
    from shared.model.history import Change
    from shared.model.rules import Edit, Note
    from shared.storage.lines import HistoryLines
    from shared.tally import Tally

_REGISTRATIONS = "registrations.json"
_HISTORY = "history.jsonl"
_BATCH = 256
_log = logging.getLogger("hub.store")

_Write = tuple[str, "Edit | Note", Author, "asyncio.Future[Decision]"]
_Outcome = Decision | Exception


class TinyStore(LedgerStore):
    """Keeps the promises of Store. Only the event loop's thread touches the memory, only one thread the files."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        tally: Tally,
        bounds: RegistrationBounds = DEFAULT_BOUNDS,
        lines: HistoryLines | None = None,
    ) -> None:
        """Read what *folder* holds, or raise StartError when it can't be trusted; *lines*, empty, get the history."""
        self._clock = clock
        self._tally = tally
        self._database = Database(folder / _REGISTRATIONS)
        super().__init__(_ledger(self._database, folder / _REGISTRATIONS, bounds))
        self._history = History(folder / _HISTORY, self._ledger.last_revision, lines)
        self._waiting: list[_Write] = []
        self._writer: asyncio.Task[None] | None = None
        self._files = asyncio.Lock()

    def upgrade(self) -> None:
        """Bring files of an older format to the present one; raise StorageUnavailable."""
        self._database.upgrade()

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
            # A copy: readers must not see a registration before it is durable.
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
            # A snapshot holds this lock: history and registrations of its backup must be of one moment.
            async with self._files:
                await asyncio.to_thread(self._save, staged, changes)
            result = "done"
        finally:
            self._tally.registered(result, len(changes), self._clock.monotonic() - started)

    def _save(self, staged: Ledger, changes: list[Change]) -> None:
        self._history.append(changes)
        try:
            changed = {change.repo: _row(staged, change.repo) for change in changes}
            self._database.save(changed, RetiredNumbers(staged.retired, staged.sequence))
        except BaseException as fault:
            self._history.withdraw(in_doubt=isinstance(fault, StorageUnavailable) and fault.in_doubt)
            raise


def _ledger(database: Database, path: Path, bounds: RegistrationBounds) -> Ledger:
    with trusted(path, REMEDY):
        rows, retired = database.load()
        registrations = {repo: fitting(Registration.from_json(row)) for repo, row in rows.items()}
        for repo, registration in registrations.items():
            if repo != registration.repo or not is_name(repo):
                raise ValueError(repo)
        return Ledger(registrations.values(), retired.revision, bounds, retired.sequence)


def _row(ledger: Ledger, repo: str) -> dict[str, Any] | None:
    return ledger.rows[repo].as_row() if repo in ledger.rows else None


def _decided(staged: Ledger, write: _Write, now: str, changes: list[Change]) -> _Outcome:
    """Apply one write to *staged* and note its line of history; return why where it is refused."""
    repo, edit, author, _ = write
    try:
        decision = staged.decide(repo, edit, author, now)
    except Exception as refusal:  # noqa: BLE001 - one writer's fault is told to that writer, the batch goes on
        return refusal
    if decision.line is not None:
        staged.apply(decision)
        changes.append(decision.line)
    return decision


def _refusal(fault: Exception) -> Problem:
    """Return the problem for those whose write *fault* stopped: that of the volume, or of a machine that is short."""
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
