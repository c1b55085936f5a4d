"""The storage engine on files: TinyDB for registrations, and a file for each content, in one data directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from shared.model.rules import DEFAULT_BOUNDS, RegistrationBounds
from shared.problems import StartError
from shared.storage.archive import Description
from shared.storage.engine import Engine, SoleDuty
from shared.storage.files.directory import DataDirectory, reading
from shared.storage.files.editions import FileEditions
from shared.storage.files.holdings import FileHoldings
from shared.storage.files.restore_target import FolderRestoreTarget, restore_target
from shared.storage.files.snapshot import FilesSnapshot, must_be_whole, sweep
from shared.storage.files.timeline import TimelineFile
from shared.storage.files.tiny import TinyStore
from shared.tally import WRITTEN, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from shared.clock import Clock

_NAMES = {"states": "states of sources", "federation": "the federated index"}


class FilesEngine(Engine):
    """Keeps the promises of Engine in one folder, which one process holds at a time."""

    registrations: TinyStore

    def __init__(self, folder: Path, clock: Clock, tally: Tally, bounds: RegistrationBounds = DEFAULT_BOUNDS) -> None:
        """Know where it lies; ``open`` reads it."""
        self._folder = folder
        self._clock = clock
        self._tally = tally
        self._bounds = bounds
        self.editions = FileEditions(folder)
        self.timeline = TimelineFile(folder)
        self.holdings = FileHoldings(folder, tally)
        self.duty = SoleDuty()

    @property
    def folder(self) -> Path:
        """The data directory."""
        return self._folder

    def open(self) -> None:
        """Keep the promise, as all of these do."""
        self._directory = DataDirectory(self._folder)
        try:
            self._read()
        except BaseException:
            # Else the lock would be held for as long as this object lives, also against a second try.
            self.release()
            raise

    def _read(self) -> None:
        must_be_whole(self._folder)
        self.holdings.must_be_usable()
        self.registrations = TinyStore(self._folder, self._clock, self._tally, self._bounds)

    def prepare(self) -> None:
        """Keep the promise."""
        self._directory.try_volume()
        sweep(self._folder)
        self.holdings.make()
        self.registrations.upgrade()

    def health(self) -> str:
        """Keep the promise."""
        failing = ", ".join(_NAMES.get(what, what) for what in WRITTEN if what in self._tally.failing)
        return f"the last write of {failing} failed, the log says why; reading goes on" if failing else "ok"

    async def snapshot(self, made_at: str) -> FilesSnapshot:
        """Keep the promise."""
        # Neither a write nor a composition may come between two files. Contents may: a start decides which count.
        async with self.registrations.quiet(), self.editions.turn():
            taking = asyncio.create_task(asyncio.to_thread(FilesSnapshot, self._folder, self._about(made_at)))
            try:
                return await asyncio.shield(taking)
            except asyncio.CancelledError:
                # Its thread goes on to the end, and nobody else would remove the links that it makes.
                await asyncio.wait([taking])
                if taking.exception() is None:
                    await asyncio.to_thread(taking.result().close)
                raise

    @contextlib.contextmanager
    def at_rest(self) -> Iterator[FilesSnapshot]:
        """Keep the promise."""
        # Not exists, which says no to a link that leads nowhere: that is a broken hub, and no empty folder.
        if not os.path.lexists(self._folder / "registrations.json"):
            raise StartError(f"{self._folder} holds nothing of a hub.")
        with reading(self._folder):
            self._read()
            self._must_be_readable()
            try:
                yield FilesSnapshot(self._folder, self._about(self._clock.stamp()), linked=False)
            except OSError as fault:
                raise StartError(f"The data directory {self._folder} can't be read: {fault}.") from fault

    def restore_target(self) -> AbstractContextManager[FolderRestoreTarget]:
        """Keep the promise."""
        return restore_target(self._folder, lambda draft: FilesEngine(draft, self._clock, Tally(), self._bounds))

    def _must_be_readable(self) -> None:
        self.holdings.must_be_readable(self.registrations.all())
        self.editions.load()

    def _about(self, made_at: str) -> Description:
        return Description(made_at, self.editions.head.serial, len(self.registrations.all()))

    def release(self) -> None:
        """Keep the promise."""
        self._directory.close()
