"""The federated index that is served, and how it follows the sources: one composition at a time, serial by serial."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, NamedTuple

import orjson

from shared.compose import compose
from shared.federation.changes import Changes
from shared.federation.document import Document, Press, substance
from shared.federation.edition import Edition, dated
from shared.federation.lines import Delta, Line
from shared.problems import Problem
from shared.shortage import cause, log_failure
from shared.storage.files.disk import PREVIOUS, content_of, parsed, trusted, write_whole
from shared.storage.files.saved import fitting, is_moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.clock import Clock
    from shared.compose import Part
    from shared.sources.life import Sources
    from shared.tally import Tally

__all__ = ["Document", "Edition", "Federation"]

FORMAT = 1
GATHER_SECONDS = (0.1, 1.0)
"""The least and the most that news are gathered for; in between as long as GATHER_TIMES the last composition."""
GATHER_TIMES = 5
REST_TIMES = 2
"""Between two compositions lies at least so many times what the first one took, even while no check is under way."""
_log = logging.getLogger("hub.federation")


class _Saved(NamedTuple):
    """What is kept of the document that was served last: *since* when its troubles last, see ``dates``."""

    serial: int = 0
    generated_at: str = ""
    substance: str = ""
    since: dict[str, str] = {}  # noqa: RUF012 - never changed


class Federation:
    """Serves the document of *edition*, which always says what some moment of the sources amounted to.

    On disk lie only its serial, time and digest, and *since* when its troubles last (see ``dates``): the content and
    states that it was made of are written before it is served, so that a restart makes the same document again, before
    any fetch. *on_change* are called, in the event loop, right after another edition is served. *trouble* says what
    keeps it from following the sources.
    """

    def __init__(self, path: Path, sources: Sources, clock: Clock, tally: Tally) -> None:
        """Make the document that was served last, or the next one if the sources went on; raise StartError."""
        self._path = path
        self._sources = sources
        self._clock = clock
        self._tally = tally
        self.since: dict[str, str] = {}
        self.trouble = ""
        self._press = Press()
        self.changes = Changes(path.with_name("changes.jsonl"))
        self._turn: asyncio.Task[None] | None = None
        self._composing = asyncio.Lock()
        self._version = sources.version
        self.on_change: list[Callable[[], None]] = []
        self.edition = self._first(sources.parts())

    @property
    def document(self) -> Document:
        """The document that is served."""
        return self.edition.document

    def _load(self) -> _Saved:
        remedy = f"Put back a good copy, such as {self._path.name}{PREVIOUS}: without it the serial would go back."
        content = content_of(self._path, remedy)
        if content is None:
            return _Saved()
        with trusted(self._path, remedy):
            saved = parsed(content, FORMAT)
            since = saved.get("since", {})
            loaded = fitting(_Saved(saved["serial"], saved["generated_at"], saved["substance"], since))
            if not all(map(is_moment, loaded.since.values())):
                raise ValueError("since")
            return loaded

    def _first(self, parts: list[Part]) -> Edition:
        """Return what was served last, or the next edition where the sources say something else by now."""
        serial, generated_at, saved, self.since = self._load()
        composition = compose(parts)
        digest = substance(composition)
        self.changes.load(serial, saved)
        if digest == saved:
            return Edition(self._press.document(composition, digest, serial, generated_at), composition, parts)
        document = self._press.document(composition, digest, serial + 1, max(generated_at, self._clock.stamp()))
        # Before the first serial there was nothing; what another was is not here to be compared with.
        line = None if serial else Line.of(1, digest, Delta.between(compose([]), composition))
        self.changes.start_anew(serial + (line is None))
        self._save(document, line)
        if line is not None:
            self.changes.keep(line)
        return Edition(document, composition, parts)

    def _next(self, parts: list[Part]) -> tuple[Edition, Line] | None:
        """Return the next edition, its serial on disk, or None when the sources say what they said before."""
        before, composition = self.edition, compose(parts)
        digest = substance(composition)
        if digest == before.document.substance:
            return None
        serial = before.document.serial + 1
        # A wall clock that was set back dates no serial before the one that it follows; RFC 3339 sorts as text.
        generated_at = max(before.document.generated_at, self._clock.stamp())
        document = self._press.document(composition, digest, serial, generated_at)
        edition = Edition(document, composition, parts)
        line = Line.of(serial, digest, Delta.between(before.composition, composition))
        self._save(document, line)
        return edition, line

    def _save(self, document: Document, line: Line | None) -> None:
        """Make the serial of *document* one that is never given again."""
        if line is not None:
            self.changes.write(line)
        since = dated(document.composition, self.since, document.generated_at)
        record = {"format": FORMAT, "serial": document.serial, "generated_at": document.generated_at}
        record |= {"substance": document.substance, "since": since}
        write_whole(self._path, orjson.dumps(record), keep_previous=True)
        self.since = since

    async def shown(self) -> Document:
        """Return the document once it holds the present content of the sources; callers at one time share one turn.

        Raise StorageUnavailable when the new serial can't be written; the old document stays.
        """
        if self._turn is None or self._turn.done():
            # One that is done and still here was broken off while it waited.
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
                self._publish(*following)
            self._version = version

    def _publish(self, edition: Edition, line: Line) -> None:
        # Both in one step of the loop: what is told about a serial is never ahead of it or behind.
        self.edition = edition
        self.changes.keep(line)
        for tell in self.on_change:
            try:
                tell()
            except Exception:  # noqa: BLE001 - logged; the others have to hear of it all the same
                _log.exception("serial %d is served, and one who follows it could not be told", line.serial)

    async def _written(self, parts: list[Part]) -> tuple[Edition, Line] | None:
        """Return the next edition, or None, as ``_next`` does."""
        try:
            following = await asyncio.to_thread(self._next, parts)
        except Problem:
            self._tally.wrote("federation", "failed")
            raise
        if following is not None:
            self._tally.wrote("federation", "done")
        return following

    async def follow(self) -> None:
        """Compose whenever the sources have news; never returns.

        While checks are under way that may bring more, news are gathered: for longer the more composing costs, so that
        a stream of news never makes that more than a share. Once no check is under way and none is due, what came is
        composed at once. After a failure the next attempt waits the longest.
        """
        least, most = GATHER_SECONDS
        if self._version != self._sources.version:
            # Begun again after a fault that came once the news had been taken up.
            self._sources.news.set()
        pause, rest, ended = least, 0.0, self._clock.monotonic()
        while True:
            await self._sources.news.wait()
            self._sources.news.clear()
            await self._gather(pause, max(ended + rest - self._clock.monotonic(), 0.0))
            started, pause, rest = self._clock.monotonic(), most, most
            try:
                await self.shown()
                self.trouble = ""
                ended = self._clock.monotonic()
                pause = min(max(GATHER_TIMES * (ended - started), least), most)
                rest = min(REST_TIMES * (ended - started), pause)
            except Problem as fault:
                _log.error("composing failed: %s", fault.detail)
                self._sources.news.set()
            except Exception as fault:  # noqa: BLE001 - logged and tried again; without it old documents are served
                self.trouble = f"composing failed ({cause(fault)}); it is tried again"
                log_failure(_log, "composing failed", fault)
                self._sources.news.set()

    async def _gather(self, seconds: float, rest: float) -> None:
        """Return after so many seconds, or after the *rest* as soon as no check is under way and none is due."""
        await asyncio.sleep(rest)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds - rest):
                await self._sources.idle.wait()

    @property
    def idle(self) -> bool:
        """Whether no check is under way and none is due, so that what is served stays as it is for a while."""
        return self._sources.idle.is_set()

    def quiet(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Return a context in which nothing is composed: a composition under way ends first, others wait."""
        return self._composing

    async def close(self) -> None:
        """Compose what came last, so that the next start serves it under the same serial; return when that is done."""
        with contextlib.suppress(Problem):
            await self.shown()
        async with self._composing:
            await asyncio.to_thread(self._press.close)
