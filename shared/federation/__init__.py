"""The federated index that is served, and how it follows the sources: one composition at a time, serial by serial."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import orjson

from shared.compose import compose
from shared.federation.dates import dated
from shared.federation.document import Document, encode, substance
from shared.federation.edition import Edition
from shared.files import PREVIOUS, parsed, trusted, write_whole
from shared.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.clock import Clock
    from shared.compose import Part
    from shared.sources.life import Sources
    from shared.tally import Tally

__all__ = ["Document", "Edition", "Federation"]

FORMAT = 1
GATHER_SECONDS = 1.0
_log = logging.getLogger("hub.federation")


class Federation:
    """Serves the document of *edition*, which always says what some moment of the sources amounted to.

    On disk lie only its serial, time and digest, and *since* when its troubles last (see ``dates``): the content and
    states that it was made of are written before it is served, so that a restart makes the same document again, before
    any fetch. *on_change* are called, in the event loop, right after another edition is served.
    """

    def __init__(self, path: Path, sources: Sources, clock: Clock, tally: Tally) -> None:
        """Make the document that was served last, or the next one if the sources went on; raise StartError."""
        self._path = path
        self._sources = sources
        self._clock = clock
        self._tally = tally
        self._serial, self._generated_at, self._substance, self.since = self._load()
        self._turn: asyncio.Task[None] | None = None
        self._composing = asyncio.Lock()
        self._version = sources.version
        self.on_change: list[Callable[[], None]] = []
        self.edition = self._next(sources.parts()) or self._again(sources.parts())

    @property
    def document(self) -> Document:
        """The document that is served."""
        return self.edition.document

    def _load(self) -> tuple[int, str, str, dict[str, str]]:
        if not self._path.exists():
            return 0, "", "", {}
        remedy = f"Put back a good copy, such as {self._path.name}{PREVIOUS}: without it the serial would go back."
        with trusted(self._path, remedy):
            saved = parsed(self._path.read_bytes(), FORMAT)
            since = dict(saved.get("since", {}))
            return int(saved["serial"]), str(saved["generated_at"]), str(saved["substance"]), since

    def _next(self, parts: list[Part]) -> Edition | None:
        """Return the next edition, its serial on disk, or None when the sources say what they said before."""
        composition = compose(parts)
        digest = substance(composition)
        if digest == self._substance:
            return None
        serial, now = self._serial + 1, self._clock.stamp()
        document = encode(composition, serial, now)
        since = dated(composition, self.since, now)
        saved = {"format": FORMAT, "serial": serial, "generated_at": now, "substance": digest, "since": since}
        write_whole(self._path, orjson.dumps(saved), keep_previous=True)
        self._serial, self._generated_at, self._substance, self.since = serial, now, digest, since
        return Edition(document, composition, parts)

    def _again(self, parts: list[Part]) -> Edition:
        composition = compose(parts)
        return Edition(encode(composition, self._serial, self._generated_at), composition, parts)

    async def shown(self) -> Document:
        """Return once the document says what the sources say now; callers that come together share one turn.

        Raise StorageUnavailable when the new serial can't be written; the old document stays.
        """
        if self._turn is None:
            if self._version == self._sources.version:
                return self.document
            self._turn = asyncio.create_task(self._take_turn())
        await asyncio.shield(self._turn)
        return self.document

    async def _take_turn(self) -> None:
        async with self._composing:
            # Whoever asks from here on may know of later changes: for them there will be another turn.
            self._turn = None
            parts, version = self._sources.parts(), self._sources.version
            await self._sources.secure()
            started = self._clock.monotonic()
            following = await self._written(parts)
            self._tally.compositions.note(self._clock.monotonic() - started)
            if following is not None:
                self.edition = following
                for tell in self.on_change:
                    tell()
            self._version = version

    async def _written(self, parts: list[Part]) -> Edition | None:
        """Return the next edition, or None, as ``_next`` does."""
        try:
            following = await asyncio.to_thread(self._next, parts)
        except Problem:
            self._tally.writes["federation", "failed"] += 1
            raise
        self._tally.writes["federation", "done"] += following is not None
        return following

    async def follow(self) -> None:
        """Compose whenever the sources have news, gathering for a second what comes together; never returns."""
        while True:
            await self._sources.news.wait()
            self._sources.news.clear()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await self.shown()
            except Problem as fault:
                _log.error("composing failed: %s", fault.detail)
                self._sources.news.set()
            except Exception:  # noqa: BLE001 - logged and tried again; a follower that is gone serves old documents
                _log.exception("composing failed")
                self._sources.news.set()

    def quiet(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Give a time in which nothing is composed: what is under way ends before, the rest waits until after."""
        return self._composing

    async def close(self) -> None:
        """Let the turn under way finish."""
        if self._turn is not None:
            with contextlib.suppress(Problem):
                await self._turn
        async with self._composing:
            pass
