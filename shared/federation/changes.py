"""The last serials of the federated index with what they changed, in memory and in a file."""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from shared.federation.lines import Line
from shared.federation.window import MOST_BYTES, MOST_LINES, Window
from shared.problems import SerialGone
from shared.storage.files.disk import storage_problem, write_all, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Changes:
    """The lines of the last serials (see ``window``), in memory and on disk.

    The file is a help, not a promise: it is never waited for, and a line that a power cut took, or one that does not
    lead to the serial that is served, only makes the window shorter. So a reader may be told to start anew, but never
    something wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._window = Window()
        self._following = Window()  # with the line that was written last
        self._in_file = (0, 0)  # lines and bytes, with those that were joined or left out since
        self._most_in_file = 0
        self._torn = False
        self._serial = 0

    def load(self, serial: int, substance: str) -> None:
        """Take up what lies on disk, as far as it leads to *serial*, whose substance is given."""
        self._serial = serial
        lines = [line for line in _leading_up(self._read()) if line.serial <= serial]
        if lines and (lines[-1].serial, lines[-1].substance) == (serial, substance):
            self._window = Window(lines)
        self._torn = True  # whatever else lies there goes with the next line

    def _read(self) -> list[bytes]:
        with contextlib.suppress(OSError):
            return self._path.read_bytes().splitlines(keepends=True)
        return []

    def start_anew(self, serial: int) -> None:
        """Forget every line: what led to *serial* is not known."""
        self._window, self._serial, self._torn = Window(), serial, True

    def write(self, line: Line) -> None:
        """Write *line*; it counts when it is kept. For one thread at a time. Raise StorageUnavailable.

        It costs as much as *line* is long and, from half of MOST_BYTES on, reading two pairs of older lines that are
        joined: that happens here, in the thread of the caller, and not in keep. The file is only appended to, and
        written anew, without what was joined or left out since, after as much again has come.
        """
        self._following = self._window.plus(line)
        try:
            count, size = self._in_file[0] + 1, self._in_file[1] + len(line.text)
            if self._torn or count > 2 * MOST_LINES or size > self._most_in_file:
                lines = self._following.lines
                write_whole(self._path, b"".join([one.text for one in lines]))
                count, size, self._torn = len(lines), self._following.size, False
                self._most_in_file = 2 * max(size, MOST_BYTES // 4)
            else:
                self._append(line.text)
            self._in_file = count, size
        except OSError as fault:
            self._torn = True
            raise storage_problem(fault) from fault

    def _append(self, text: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            write_all(file, text)

    def keep(self, line: Line) -> None:
        """Let *line*, which was written last, be the last serial."""
        self._serial, self._window = line.serial, self._following

    @property
    def oldest(self) -> int:
        """The oldest serial that a reader may be at."""
        lines = self._window.lines
        return lines[0].first - 1 if lines else self._serial

    def since(self, serial: int) -> list[Line]:
        """Return the lines of what came after *serial*, or raise SerialGone where some of them are not there."""
        if not self.oldest <= serial <= self._serial:
            ahead = f"lies ahead of {self._serial}, the present one"
            why = ahead if serial > self._serial else f"is older than {self.oldest}, the oldest that is known"
            raise SerialGone(f"Serial {serial} {why}. Read /v1/federated whole and go on from the serial it has.")
        lines = self._window.lines
        return lines[bisect_right(lines, serial, key=attrgetter("serial")) :]


def _leading_up(texts: Iterable[bytes]) -> list[Line]:
    """Return the last lines of *texts* whose serials follow one on the other; a line is void once its serial recurs."""
    lines: list[Line] = []
    for text in texts:
        try:
            line = Line.read(text)
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
