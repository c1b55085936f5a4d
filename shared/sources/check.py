"""One check of one source: fetch its document and read it. ``intake`` decides whether the content is served."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from shared.clock import Clock
from shared.fetch import TalkTime, Validators
from shared.formats import INDEX, Publisher
from shared.formats.documents import DocumentFaulty
from shared.problems import InvalidIndex, Overloaded, SourceProblem
from shared.sources.unread import UnreadDocuments

if TYPE_CHECKING:
    from shared.fetch import Fetched, Fetcher
    from shared.formats import SourceFormat
    from shared.formats.reader import DocumentReader
    from shared.model.content import Content
    from shared.model.stored_content import StoredContent

_log = logging.getLogger("hub.sources")


class CheckResult(NamedTuple):
    """What one check fetched: *size* in bytes and *content* of the document (both None after a 304), validators."""

    http_status: int
    size: int | None
    content: Content | None
    validators: Validators


class Checker:
    """Fetches and reads documents of *source_format*; it holds no state of a source, so checks may run side by side."""

    def __init__(
        self,
        fetcher: Fetcher,
        reader: DocumentReader,
        unread: UnreadDocuments | None = None,
        source_format: SourceFormat = INDEX,
    ) -> None:
        self._format = source_format
        self._fetcher = fetcher
        self._reader = reader
        self._unread = unread or UnreadDocuments()
        self._clock = Clock()

    async def check(
        self, repo: str, url: str, last: StoredContent | None = None, talk: TalkTime | None = None
    ) -> CheckResult:
        """Fetch *url* and return what the source of *repo* publishes there; *last* makes the request conditional.

        *talk* adds up the milliseconds in which the source was talked to. Raise a SourceProblem for whatever is wrong
        with the source, and Overloaded where the hub's own machine has no thread, process or memory left for a check.
        """
        validators, owner = last.validators if last else Validators(), talk.owner if talk else ""
        fetched = await self._fetcher.fetch(url, validators, talk, self._format.accept)
        if fetched.body is None:
            return CheckResult(fetched.status, None, None, fetched.validators)
        size = len(fetched.body)
        if not self._unread.take(owner, size):
            # A document that waited would take the very memory that is bounded, so it is dropped here and fetched once
            # more when there is room; ``del`` because the frame would hold it during the wait.
            del fetched
            fetched, size = await self._fetched_again(url, validators, owner)
        try:
            return await self._read(fetched, repo, url, owner)
        finally:
            self._unread.give_back(owner, size)

    async def _fetched_again(self, url: str, validators: Validators, owner: str) -> tuple[Fetched, int]:
        """Return what *url* answers within a deadline of its own, and how many bytes of room are taken for it.

        Room for the largest document is waited for: the second answer may be larger than the first.
        """
        await self._unread.wait(owner)
        size = 0
        try:
            fetched = await self._fetcher.fetch(url, validators, TalkTime(self._clock, owner), self._format.accept)
            size = len(fetched.body or b"")
        finally:
            self._unread.give_back(owner, self._unread.largest - size)
        return fetched, size

    async def _read(self, fetched: Fetched, repo: str, url: str, owner: str) -> CheckResult:
        if fetched.body is None:
            return CheckResult(fetched.status, None, None, fetched.validators)
        try:
            reading = await self._reader.read(fetched.body, Publisher(repo, url), self._format, owner=owner)
            content = reading.own()
        except DocumentFaulty as fault:
            raise InvalidIndex(str(fault), source_status=fetched.status, faults=fault.faults) from fault
        except SourceProblem as problem:
            problem.source_status = fetched.status
            raise
        except Overloaded:
            raise
        except Exception as fault:
            # The boundary around one source: a bug that its bytes bring to light fails this source and no other.
            _log.exception("reading the index of %s", repo)
            raise InvalidIndex("The index could not be read.", source_status=fetched.status) from fault
        return CheckResult(fetched.status, len(fetched.body), content, fetched.validators)

    async def close(self) -> None:
        """Close every connection, and end the thread and the process that read."""
        await self._fetcher.close()
        await self._reader.close()
