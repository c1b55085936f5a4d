"""One check of one source: fetched, read, and where it changed drafted on disk."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from shared.fetch import Validators
from shared.index import IndexFaulty, read_index
from shared.problems import InvalidIndex, Problem, SourceProblem
from shared.sources.shelf import Kept

if TYPE_CHECKING:
    from pathlib import Path

    from shared.clock import Clock
    from shared.fetch import Fetched, Fetcher
    from shared.registration import Registration
    from shared.sources.shelf import Shelf

_log = logging.getLogger("hub.sources")


class Found(NamedTuple):
    """What a check found: the bytes sent (None for 304), what is to be kept, and its draft where that changed."""

    http_status: int
    size: int | None
    kept: Kept | None
    draft: Path | None


class Checker:
    """Checks sources; knows nothing of their states."""

    def __init__(self, fetcher: Fetcher, shelf: Shelf, clock: Clock) -> None:
        self._fetcher = fetcher
        self._shelf = shelf
        self._clock = clock

    async def check(self, registration: Registration, kept: Kept | None) -> Found:
        """Return what the source of *registration* holds now, beside what is *kept* of it.

        Raise a SourceProblem for whatever is wrong with the source, or StorageUnavailable.
        """
        fetched = await self._fetcher.fetch(registration.url, kept.validators if kept else Validators())
        if fetched.body is None:
            return Found(fetched.status, None, kept, None)
        try:
            return await asyncio.to_thread(self._read, registration, fetched.body, fetched, kept)
        except IndexFaulty as fault:
            raise InvalidIndex(str(fault), source_status=fetched.status) from fault
        except SourceProblem as problem:
            problem.source_status = fetched.status
            raise
        except Problem:
            raise
        except Exception as fault:
            # The boundary around one source: whatever its bytes made of us, the others go on.
            _log.exception("reading the index of %s", registration.repo)
            raise InvalidIndex("The index could not be read.", source_status=fetched.status) from fault

    def _read(self, registration: Registration, body: bytes, fetched: Fetched, kept: Kept | None) -> Found:
        """Read an index; runs in a thread."""
        content = read_index(body, registration.repo, registration.url)
        if kept is not None and kept.content.digest == content.digest:
            return Found(fetched.status, len(body), replace(kept, validators=fetched.validators), None)
        new = Kept(registration.url, fetched.validators, self._clock.stamp(), content)
        return Found(fetched.status, len(body), new, self._shelf.draft(registration.repo, new))

    async def close(self) -> None:
        """Close every connection."""
        await self._fetcher.close()
