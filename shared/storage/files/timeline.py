"""The file ``timeline.json``: how many sources were in each state over the last 30 days."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from typing import TYPE_CHECKING

import orjson

from shared.disk import PREVIOUS, parsed, write_whole
from shared.model.spans import Span
from shared.model.status import STATES
from shared.storage.engine import TimelineStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = 1
_log = logging.getLogger("hub.timeline")


class TimelineFile(TimelineStore):
    """A TimelineStore in a file. One that can't be understood is kept aside by the first write after it."""

    def __init__(self, folder: Path) -> None:
        """Know where it lies; ``load`` reads it."""
        self._path = folder / "timeline.json"
        self._writing = threading.Lock()
        self._foreign = False

    def load(self) -> list[Span]:
        """Keep the promise, as all of these do."""
        try:
            return _read(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except OSError as fault:
            _log.warning("%s can't be read (%s): recorded anew from here on", self._path, fault.strerror)
        except (ValueError, TypeError, KeyError, AttributeError):
            self._foreign = True
            _log.warning("%s can't be understood: recorded anew from here on", self._path)
        return []

    async def save(self, spans: Sequence[Span]) -> None:
        """Keep the promise."""
        await asyncio.to_thread(self._write, tuple(spans))

    def _write(self, spans: Sequence[Span]) -> None:
        rows = [[span.since, span.until, span.counts] for span in spans]
        content = orjson.dumps({"format": FORMAT, "states": STATES, "spans": rows})
        # A write whose caller was cancelled may still be under way.
        with self._writing:
            if self._foreign:
                with contextlib.suppress(OSError):
                    self._path.replace(self._path.with_name(self._path.name + PREVIOUS))
                self._foreign = False
            write_whole(self._path, content)


def _read(content: bytes) -> list[Span]:
    """Return the spans in *content*, or raise ValueError, TypeError or KeyError for what was not written here."""
    saved = parsed(content, FORMAT)
    if saved["states"] != list(STATES):
        raise ValueError(saved["states"])
    spans = [Span(int(since), int(until), tuple(map(int, counts))) for since, until, counts in saved["spans"]]
    ends = [0, *(end for span in spans for end in span[:2])]
    if sorted(ends) != ends or any(len(span.counts) != len(STATES) or min(span.counts) < 0 for span in spans):
        raise ValueError("out of order")
    return spans
