"""The editions as two files: the head of the last one, and the lines of the change feed."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import orjson

from shared.disk import PREVIOUS, content_of, parsed, storage_problem, trusted, write_all, write_whole
from shared.model.lines import ChangeLine
from shared.model.window import DEFAULT_WINDOW, WindowBounds
from shared.saved import fitting, is_moment
from shared.storage.engine import Editions, Head, StoredEdition, Turn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

FORMAT = 1


class FileEditions(Editions):
    """The files ``federated.json`` and ``changes.jsonl``.

    Of an edition only serial, time and digest are kept: the contents and states that it was made of are durable before
    it is, so that a restart makes the same document again, before any fetch.
    """

    def __init__(self, folder: Path) -> None:
        """Know where they lie; ``load`` reads them."""
        self._path = folder / "federated.json"
        self._lines = LinesFile(folder / "changes.jsonl")
        self._composing = asyncio.Lock()
        self.head = Head()

    def load(self) -> StoredEdition:
        """Keep the promise of Editions, as all of these do."""
        self.head = head = self._read()
        return StoredEdition(head, self._lines.load(head.serial, head.substance))

    def _read(self) -> Head:
        remedy = f"Put back a good copy, such as {self._path.name}{PREVIOUS}: without it the serial would go back."
        content = content_of(self._path, remedy)
        if content is None:
            return Head()
        with trusted(self._path, remedy):
            saved = parsed(content, FORMAT)
            since = saved.get("since", {})
            head = fitting(Head(saved["serial"], saved["generated_at"], saved["substance"], since))
            if not all(map(is_moment, head.since.values())):
                raise ValueError("since")
            return head

    def begin(self, head: Head, lines: Sequence[ChangeLine]) -> None:
        """Keep the promise."""
        # The line first: one that leads to a serial that was never given does not count.
        self._lines.write(lines)
        write_whole(self._path, orjson.dumps({"format": FORMAT, **head._asdict()}), keep_previous=True)
        self.head = head

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Keep the promise."""
        async with self._composing:
            yield _FileTurn(self)


class _FileTurn(Turn):
    def __init__(self, editions: FileEditions) -> None:
        self._editions = editions

    async def publish(self, head: Head, lines: Sequence[ChangeLine]) -> None:
        await asyncio.to_thread(self._editions.begin, head, lines)


class LinesFile:
    """The file ``changes.jsonl``, to which each edition appends its line.

    It is a help, not a promise: it is never synced, and a line that a power cut took, or one that does not lead to the
    serial that is served, only makes the window shorter. So a reader may be told to start anew, but never something
    wrong.
    """

    def __init__(self, path: Path, bounds: WindowBounds = DEFAULT_WINDOW) -> None:
        """Know where it lies; *bounds* are those of the lines that are written."""
        self._path = path
        self._bounds = bounds
        self._in_file = (0, 0)  # lines and bytes, with those that were joined or left out since
        self._most_in_file = 0
        self._torn = True

    def load(self, serial: int, substance: str) -> list[ChangeLine]:
        """Return the lines that lead to *serial*, whose substance is given; none where the last one does not."""
        self._torn = True  # whatever else lies there goes with the next line
        # A line beyond *serial* was written by a process that ended before it wrote the head (see ``begin``).
        lines = [line for line in _leading_up(self._read()) if line.serial <= serial]
        return lines if lines and (lines[-1].serial, lines[-1].substance) == (serial, substance) else []

    def _read(self) -> list[bytes]:
        with contextlib.suppress(OSError):
            return self._path.read_bytes().splitlines(keepends=True)
        return []

    def write(self, lines: Sequence[ChangeLine]) -> None:
        """Write the last of *lines*, which are all that count from now on; raise StorageUnavailable.

        The file is only appended to, and written anew, without what was joined or left out since, after as much again
        has come. For one thread at a time.
        """
        if not lines:
            self._torn = True
            return
        line = lines[-1]
        try:
            count, size = self._in_file[0] + 1, self._in_file[1] + len(line.text)
            if self._torn or count > 2 * self._bounds.lines or size > self._most_in_file:
                count, size = self._rewrite(lines)
            else:
                with self._path.open("ab", buffering=0) as file:
                    write_all(file, line.text)
            self._in_file = count, size
        except OSError as fault:
            self._torn = True
            raise storage_problem(fault) from fault

    def _rewrite(self, lines: Sequence[ChangeLine]) -> tuple[int, int]:
        text = b"".join([line.text for line in lines])
        write_whole(self._path, text)
        self._torn = False
        # Twice what counts, so that each byte is rewritten once on average; not less than half the window, or a short
        # window would be rewritten at every other line.
        self._most_in_file = 2 * max(len(text), self._bounds.bytes // 4)
        return len(lines), len(text)


def _leading_up(texts: Iterable[bytes]) -> list[ChangeLine]:
    """Return the last lines of *texts* whose serials follow one on the other; a line is void once its serial recurs."""
    lines: list[ChangeLine] = []
    for text in texts:
        try:
            line = ChangeLine.read(text)
        except (ValueError, KeyError, TypeError):
            if text.endswith(b"\n"):
                lines.clear()
            # Else it is the end of a file whose writer was killed: what stands before it is whole.
            continue
        while lines and lines[-1].serial >= line.first:
            lines.pop()
        if lines and lines[-1].serial + 1 != line.first:
            lines.clear()
        lines.append(line)
    return lines
