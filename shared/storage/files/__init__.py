"""The storage engine on files: TinyDB for registrations, and a file for each content, in one data directory."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.model.rules import DEFAULT_BOUNDS, RegistrationBounds
from shared.storage.engine import Engine
from shared.storage.files.directory import DataDirectory
from shared.storage.files.editions import FileEditions
from shared.storage.files.journal import Journal
from shared.storage.files.past import FilePast
from shared.storage.files.shelf import Shelves
from shared.storage.files.snapshot import About, FilesSnapshot, must_be_whole, sweep
from shared.storage.files.tiny import TinyStore
from shared.tally import WRITTEN

if TYPE_CHECKING:
    from pathlib import Path

    from shared.clock import Clock
    from shared.tally import Tally

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
        self.past = FilePast(folder)
        self.shelves = Shelves(folder)
        self.journal = Journal(folder / "sources.json")

    @property
    def folder(self) -> Path:
        """The data directory."""
        return self._folder

    def open(self) -> None:
        """Keep the promise, as all of these do."""
        self._directory = DataDirectory(self._folder)
        try:
            must_be_whole(self._folder)
            self.shelves.must_be_usable()
            self.registrations = TinyStore(self._folder, self._clock, self._tally, self._bounds)
        except BaseException:
            self.release()
            raise

    def prepare(self) -> None:
        """Keep the promise."""
        self._directory.try_volume()
        sweep(self._folder)
        self.shelves.make()
        self.registrations.upgrade()

    def health(self) -> str:
        """Keep the promise."""
        failing = ", ".join(_NAMES.get(what, what) for what in WRITTEN if what in self._tally.failing)
        return f"the last write of {failing} failed, the log says why; reading goes on" if failing else "ok"

    async def snapshot(self, made_at: str) -> FilesSnapshot:
        """Keep the promise."""
        async with self.registrations.quiet(), self.editions.turn():
            return await asyncio.to_thread(FilesSnapshot, self._folder, self._about(made_at))

    def must_be_readable(self) -> None:
        """Raise StartError for the first file that can't be trusted, as a start would."""
        self.journal.load()
        self.editions.load()
        for registration in self.registrations.all():
            self.shelves.good.load(registration)
            self.shelves.held.load(registration)

    def copy(self) -> FilesSnapshot:
        """Return everything as it lies there, while nothing is written; a hub that runs is asked for a snapshot."""
        return FilesSnapshot(self._folder, self._about(self._clock.stamp()), linked=False)

    def _about(self, made_at: str) -> About:
        return About(made_at, self.editions.head.serial, len(self.registrations.all()))

    def release(self) -> None:
        """Keep the promise."""
        self._directory.close()
