"""How fresh the federation was over the last 30 days: the sources by state, to the minute, in a file of its own.

The past of a picture is worth less than anything else the hub does: a file that can't be read begins anew, one that
can't be written is tried again a minute later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING

import orjson

from shared.problems import Problem
from shared.shortage import log_failure
from shared.sources.spans import Span, seen, thinned
from shared.sources.status import STATES
from shared.storage.files.disk import PREVIOUS, parsed, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from shared.clock import Clock
    from shared.sources.life import Sources
    from shared.sources.status import State

FORMAT = 1
LOOK_SECONDS = 60.0
SAVE_SECONDS = 600.0
_log = logging.getLogger("hub.timeline")


class Timeline:
    """The file ``timeline.json``, and what was seen since it was written.

    It is written when the counts changed, at most once a minute, else every ten minutes, and in the end: a process
    that is killed leaves a gap that is up to ten minutes longer than it was away.
    """

    def __init__(self, path: Path, sources: Sources, clock: Clock) -> None:
        """Take up what was recorded, or begin anew where that can't be read."""
        self._path = path
        self._sources = sources
        self._clock = clock
        self._first = True
        self._counted: tuple[int, tuple[int, ...]] = (-1, ())
        self._saved = clock.monotonic()
        self._trouble = ""
        self._writing = threading.Lock()
        self._spans = self._load()

    def spans(self, counts: Mapping[State, int]) -> Sequence[Span]:
        """Return what was seen of the last 30 days, up to this moment, at which the sources are as *counts* tells."""
        spans = seen(self._spans, self._now(), tuple(counts[state] for state in STATES), first=self._first)
        return spans if any(span.total for span in spans) else ()

    def _now(self) -> int:
        return int(self._clock.now().timestamp())

    async def follow(self) -> None:
        """Look once a minute; never returns."""
        while True:
            try:
                await self.look()
            except Exception as fault:  # noqa: BLE001 - logged and tried again; the present is shown either way
                log_failure(_log, "recording how fresh the sources are failed", fault)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """See in which states the sources are, and write it down if that is other than before, or not for long."""
        if self._looked() or self._clock.monotonic() - self._saved >= SAVE_SECONDS:
            await self._save()

    def _looked(self) -> bool:
        """Take in the counts of this moment; return whether they are to be written at once."""
        counts = self._counts()
        if not self._spans and not any(counts):
            return False
        before, now = len(self._spans), self._now()
        self._spans = seen(self._spans, now, counts, first=self._first)
        self._first = False
        if len(self._spans) == before and not self._trouble:
            return False
        self._spans = thinned(self._spans, now)
        return True

    def _counts(self) -> tuple[int, ...]:
        # The version moves with every state, so that looking at thousands of sources is rarely called for.
        version = self._sources.version
        if self._counted[0] != version:
            counted = Counter(source.status.state for source in self._sources.all().values())
            self._counted = version, tuple(counted[state] for state in STATES)
        return self._counted[1]

    async def _save(self) -> None:
        self._saved = self._clock.monotonic()
        try:
            await asyncio.to_thread(self._write, self._spans)
        except Problem as fault:
            if not self._trouble:
                _log.warning("recording how fresh the sources are: %s", fault.detail)
            self._trouble = fault.detail
        else:
            self._trouble = ""

    def _write(self, spans: Sequence[Span]) -> None:
        rows = [[span.since, span.until, span.counts] for span in spans]
        content = orjson.dumps({"format": FORMAT, "states": STATES, "spans": rows})
        # A write whose caller was cancelled may still be under way.
        with self._writing:
            write_whole(self._path, content)

    def _load(self) -> list[Span]:
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as fault:
            _log.warning("%s can't be read (%s): recorded anew from here on", self._path, fault.strerror)
            return []
        try:
            return _read(content)
        except (ValueError, TypeError, KeyError, AttributeError):
            aside = self._path.with_name(self._path.name + PREVIOUS)
            _log.warning("%s can't be understood: recorded anew from here on", self._path)
            with contextlib.suppress(OSError):
                self._path.replace(aside)
            return []

    async def close(self) -> None:
        """Look a last time, and write it down."""
        self._looked()
        if self._spans:
            await self._save()


def _read(content: bytes) -> list[Span]:
    """Return the spans in *content*, or raise ValueError, TypeError or KeyError for what was not written here."""
    saved = parsed(content, FORMAT)
    if saved["states"] != list(STATES):
        raise ValueError(saved["states"])
    spans = [Span(int(since), int(until), tuple(map(int, counts))) for since, until, counts in saved["spans"]]
    ends = [0, *(end for span in spans for end in span[:2])]
    if sorted(ends) != ends or any(len(one.counts) != len(STATES) or min(one.counts) < 0 for one in spans):
        raise ValueError("out of order")
    return spans
