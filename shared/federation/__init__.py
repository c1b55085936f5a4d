"""The federated index that is served, and how it follows the sources: one composition at a time, serial by serial."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, NamedTuple

from shared.federation.changes import Changes
from shared.federation.document import Document, DocumentEncoder, substance
from shared.federation.edition import Edition, dated
from shared.model.compose import compose
from shared.model.lines import ChangeLine, Delta
from shared.problems import Problem
from shared.shortage import cause, log_failure
from shared.signals import EditionNotice, Signal
from shared.storage.engine import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.clock import Clock
    from shared.model.compose import Composition, Part
    from shared.signals import SourceNotice
    from shared.sources import Sources
    from shared.storage.engine import Editions, Turn
    from shared.tally import Tally

__all__ = ["Document", "Edition", "Federation"]

GATHER_SECONDS = (0.1, 1.0)
"""The least and the most that changes are gathered for; in between as long as GATHER_TIMES the last composition."""
GATHER_TIMES = 5
REST_TIMES = 2
"""Between two compositions lies at least so many times what the first one took, even while no check is under way."""
_log = logging.getLogger("hub.federation")


class _Next(NamedTuple):
    """The next edition before it is served: *head*, the *notice* of it, its change *line*, and all *lines* with it."""

    head: Head
    notice: EditionNotice
    line: ChangeLine
    lines: Sequence[ChangeLine]


class Federation:
    """Serves the document of *edition*, which always says what some moment of the sources amounted to.

    Serials are given within a turn of *editions*, one composition at a time: the content and states that an edition is
    made of are durable before it is served. *signal* tells of each edition, what changed included, right after it is
    served. *trouble* says what keeps it from following the sources.
    """

    def __init__(
        self,
        editions: Editions,
        sources: Sources,
        clock: Clock,
        tally: Tally,
        gather_seconds: tuple[float, float] = GATHER_SECONDS,
    ) -> None:
        """Make the document of what the sources say now; nothing is written. Raise StartError.

        Where that is not what was served last, it may be looked at but not served before ``begin``.
        """
        self._editions = editions
        self._sources = sources
        self._clock = clock
        self._tally = tally
        self._gather_seconds = gather_seconds
        self.trouble = ""
        self._encoder = DocumentEncoder()
        self.changes = Changes()
        self._turn: asyncio.Task[None] | None = None
        self._source_changes = 0
        # Set while the sources have changed since the parts that the served edition was made of were taken.
        self._behind = asyncio.Event()
        self.signal = Signal[EditionNotice]()
        self._head, lines = editions.load()
        self.changes.start(self._head.serial, lines)
        self.edition = self._edition(sources.parts(), self._head)

    @property
    def since(self) -> dict[str, str]:
        """Since when each trouble of the served edition lasts, by the name of the trouble."""
        return self._head.since

    def begin(self) -> None:
        """Give a serial to what the sources say, where it is not what was served last; raise StorageUnavailable."""
        document = self.edition.document
        if document.substance == self._head.substance:
            return
        before, composition = self._head.serial, document.composition
        head = self._next_head(composition, document.substance)
        # Before the first serial there was nothing; what another was is not here to be compared with.
        delta = None if before else Delta.between(compose([]), composition)
        lines = [] if delta is None else [ChangeLine.of(1, head.substance, delta)]
        self._editions.begin(head, lines)
        self.changes.start(head.serial, lines)
        document = self._encoder.document(composition, head.substance, head.serial, head.generated_at)
        self._head, self.edition = head, Edition(document, composition, self.edition.parts)
        self.signal.send(EditionNotice(self.edition, delta))

    @property
    def document(self) -> Document:
        """The document that is served."""
        return self.edition.document

    def _edition(self, parts: list[Part], head: Head) -> Edition:
        composition = compose(parts)
        document = self._encoder.document(composition, substance(composition), head.serial, head.generated_at)
        return Edition(document, composition, parts)

    def _next_head(self, composition: Composition, digest: str) -> Head:
        # A wall clock that was set back dates no serial before the one that it follows; RFC 3339 sorts as text.
        generated_at = max(self._head.generated_at, self._clock.stamp())
        since = dated(composition, self._head.since, generated_at)
        return Head(self._head.serial + 1, generated_at, digest, since)

    def _next(self, parts: list[Part]) -> _Next | None:
        """Return what is to be served next, or None when the sources say what they said before."""
        before, composition = self.edition, compose(parts)
        digest = substance(composition)
        if digest == before.document.substance:
            return None
        head = self._next_head(composition, digest)
        document = self._encoder.document(composition, digest, head.serial, head.generated_at)
        delta = Delta.between(before.composition, composition)
        line = ChangeLine.of(head.serial, digest, delta)
        notice = EditionNotice(Edition(document, composition, parts), delta)
        return _Next(head, notice, line, self.changes.with_line(line))

    def on_source(self, notice: SourceNotice) -> None:
        """Have ``follow`` and ``shown`` make the next edition, where the index may have to say something else."""
        if notice.indexed:
            self._source_changes += 1
            self._behind.set()

    async def shown(self) -> Document:
        """Return the document once it holds the present content of the sources; callers at one time share one turn.

        Raise StorageUnavailable when the new serial can't be written; the old document stays.
        """
        if self._turn is None or self._turn.done():
            # One that is done and still here was broken off while it waited.
            if not self._behind.is_set():
                return self.document
            self._turn = asyncio.create_task(self._take_turn())
            # Retrieved, because all callers may be cancelled before it fails, and asyncio logs an unretrieved failure.
            self._turn.add_done_callback(lambda turn: turn.cancelled() or turn.exception())
        await asyncio.shield(self._turn)
        return self.document

    async def _take_turn(self) -> None:
        async with self._editions.turn() as turn:
            # A caller from here on may know of later changes, and so gets another turn.
            self._turn = None
            parts, changes = self._sources.parts(), self._source_changes
            await self._sources.secure()
            started = self._clock.monotonic()
            following = await self._written(turn, parts)
            self._tally.compositions.note(self._clock.monotonic() - started)
            if following is not None:
                self._publish(following)
            if changes == self._source_changes:
                self._behind.clear()

    async def _written(self, turn: Turn, parts: list[Part]) -> _Next | None:
        """Return what is to be served next, its serial durable, or None when nothing changed."""
        try:
            following = await asyncio.to_thread(self._next, parts)
            if following is not None:
                await turn.publish(following.head, following.lines)
        except Problem:
            self._tally.wrote("federation", "failed")
            raise
        if following is not None:
            self._tally.wrote("federation", "done")
        return following

    def _publish(self, following: _Next) -> None:
        # All in one step of the loop: what is told about a serial is never ahead of it or behind.
        self._head, self.edition = following.head, following.notice.edition
        self.changes.keep(following.line)
        self.signal.send(following.notice)

    async def follow(self) -> None:
        """Compose whenever the sources changed what the index says; never returns.

        While checks are under way that may bring more, changes are gathered: for longer the more composing costs, so
        that a stream of them never makes that more than a share. Once no check is under way and none is due, what came
        is composed at once. After a failure the next attempt waits the longest.
        """
        least, most = self._gather_seconds
        pause, rest, ended = least, 0.0, self._clock.monotonic()
        while True:
            await self._behind.wait()
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
            except Exception as fault:  # noqa: BLE001 - logged and tried again; without it old documents are served
                self.trouble = f"composing failed ({cause(fault)}); it is tried again"
                log_failure(_log, "composing failed", fault)

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

    async def close(self) -> None:
        """Compose what came last, so that the next start serves it under the same serial; return when that is done."""
        with contextlib.suppress(Problem):
            await self.shown()
        async with self._editions.turn():
            await asyncio.to_thread(self._encoder.close)
