"""Contents and states of sources as files: one for each content, and one for the records of all sources.

Content is placed at once, before any record that names it; the records are written together later, because losing one
costs a conditional request. So the two may be of different moments, and a start decides which of them count.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from shared.model.source_update import StoredSource
from shared.problems import StorageUnavailable
from shared.storage.engine import Holdings, RunningSeconds, StoredSources
from shared.storage.files.contents import ContentFolders
from shared.storage.files.records_file import RecordsFile, SavedRecords

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from shared.model.record import Record
    from shared.model.registration import Registration
    from shared.model.source_update import SourceUpdate
    from shared.model.stored_content import StoredContent
    from shared.storage.files.contents import ContentFolder
    from shared.tally import Tally


class FileHoldings(Holdings):
    """Keeps the promises of Holdings in the folders ``content`` and ``held`` and the file ``sources.json``.

    The records are in memory too, since each write of the file holds all of them. *_states* tells that one of them has
    a state that the file lacks, *_contents* that a folder was changed and not synced since.
    """

    def __init__(self, folder: Path, tally: Tally) -> None:
        """Nothing is read yet: ``load`` does that."""
        self._folders = ContentFolders(folder)
        self._records_file = RecordsFile(folder / "sources.json")
        self._tally = tally
        self._records: dict[str, Record] = {}
        self._running = RunningSeconds()
        self._states = self._contents = False
        self._writing = asyncio.Lock()

    def must_be_usable(self) -> None:
        """Raise StartError where something else has the name of a folder."""
        self._folders.must_be_usable()

    def make(self) -> None:
        """Make the folders where they are missing, or raise StartError."""
        self._folders.make()

    def load(self, registrations: Iterable[Registration]) -> StoredSources:
        """Keep the promise of Holdings, as all of these do."""
        ran, watched, records = self._records_file.load()
        sources = {row.repo: StoredSource(records.get(row.repo), *self._contents_of(row)) for row in registrations}
        self._records = {repo: stored.record for repo, stored in sources.items() if stored.record}
        self._running = RunningSeconds(ran, watched)
        return StoredSources(self._running, sources)

    def must_be_readable(self, registrations: Iterable[Registration]) -> None:
        """Raise StartError for the first file that can't be trusted, as ``load`` does; keep one content at a time."""
        self._records_file.load()
        for row in registrations:
            self._contents_of(row)

    def _contents_of(self, registration: Registration) -> tuple[StoredContent | None, StoredContent | None]:
        return self._folders.good.load(registration), self._folders.held.load(registration)

    async def settle(self, update: SourceUpdate, is_current: Callable[[], bool]) -> bool:
        """Keep the promise."""
        repo = update.record.repo
        if update.to_write is None:
            if not is_current():
                return False
        elif not await self._put(self._folder_of(update), repo, update.to_write, is_current):
            return False
        if update.drops_held:
            self._folders.held.drop(repo)
        before = self._records.get(repo)
        self._states |= before is None or before.status.state != update.record.status.state
        self._contents |= update.writes is not None or update.drops_held
        self._records[repo] = update.record
        return True

    def _folder_of(self, update: SourceUpdate) -> ContentFolder:
        return self._folders.held if update.writes == "held" else self._folders.good

    async def _put(self, folder: ContentFolder, repo: str, new: StoredContent, is_current: Callable[[], bool]) -> bool:
        with self._counted("contents"):
            draft = await asyncio.to_thread(folder.draft, repo, new)
        if not is_current():
            folder.discard(draft)
            return False
        with self._counted("contents"):
            folder.place(draft, repo)
        self._tally.wrote("contents", "done")
        return True

    @contextlib.contextmanager
    def _counted(self, what: str) -> Iterator[None]:
        """Count a write that the volume refuses."""
        try:
            yield
        except StorageUnavailable:
            self._tally.wrote(what, "failed")
            raise

    async def save_records(self, records: Sequence[Record], running: RunningSeconds) -> None:
        """Keep the promise."""
        async with self._writing:
            self._records.update((record.repo, record) for record in records)
            self._running = running
            await self._save()

    async def secure(self) -> None:
        """Keep the promise: states are written with all others, contents lie in files of their own."""
        # A write under way may still fail; only after it is it certain what the files lack.
        async with self._writing:
            if self._states:
                await self._save()
            elif self._contents:
                await self._write(self._folders.sync)

    async def _save(self) -> None:
        saved = SavedRecords(*self._running, dict(self._records))

        def save() -> None:
            # Contents first: a record that survives a power cut without its content would not count at the start.
            self._folders.sync()
            self._records_file.save(saved)

        # Cleared before the thread begins: a state that settles while it writes is not in *saved*.
        self._states = False
        await self._write(save)
        self._tally.wrote("states", "done")

    async def _write(self, write: Callable[[], None]) -> None:
        self._contents = False
        try:
            await asyncio.to_thread(write)
        except Exception:
            # Which of the two failed is not told apart: both are written again.
            self._states = self._contents = True
            self._tally.wrote("states", "failed")
            raise

    def forget(self, repo: str, *, held_only: bool = False) -> None:
        """Keep the promise, but for a file that the volume does not let go.

        The next start removes that, unless its repo is registered still: then the start takes it for stored content.
        """
        if held_only:
            self._folders.held.drop(repo)
        else:
            self._folders.drop(repo)
            self._records.pop(repo, None)

    def ignore(self, repo: str, *, held_only: bool = False) -> None:
        """Keep the promise."""
        self._folders.held.ignore(repo)
        if not held_only:
            self._folders.good.ignore(repo)

    def tidy(self, repos: Collection[str]) -> None:
        """Keep the promise; drafts that a crash left go too."""
        self._folders.tidy(repos)
