"""The last serials of the federated index with what they changed, as readers of the change feed ask for them."""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from shared.model.window import DEFAULT_WINDOW, Window, WindowBounds
from shared.problems import SerialGone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.model.lines import ChangeLine


class Changes:
    """The lines of the last serials (see ``shared.model.window``)."""

    def __init__(self, bounds: WindowBounds = DEFAULT_WINDOW) -> None:
        """Keep lines within *bounds*."""
        self._window = self._following = Window((), bounds)
        self._serial = 0

    def start(self, serial: int, lines: Iterable[ChangeLine] = ()) -> None:
        """Begin at *serial* with the *lines* that lead to it, as far as they are known."""
        self._window, self._serial = Window(lines, self._window.bounds), serial

    def with_line(self, line: ChangeLine) -> Sequence[ChangeLine]:
        """Return all lines with *line* as the newest; they count once it is kept.

        It costs as much as *line* is long and, from half of the bytes on that the window may take, reading two pairs of
        older lines that are joined: to be called in a thread, and in one at a time.
        """
        self._following = self._window.plus(line)
        return self._following.lines

    def keep(self, line: ChangeLine) -> None:
        """Let *line*, which ``with_line`` had last, be the last serial."""
        self._serial, self._window = line.serial, self._following

    @property
    def oldest(self) -> int:
        """The oldest serial that a reader may be at."""
        lines = self._window.lines
        return lines[0].first - 1 if lines else self._serial

    def since(self, serial: int) -> list[ChangeLine]:
        """Return the lines of what came after *serial*, or raise SerialGone where some of them are not there."""
        if not self.oldest <= serial <= self._serial:
            ahead = f"lies ahead of {self._serial}, the present one"
            why = ahead if serial > self._serial else f"is older than {self.oldest}, the oldest that is known"
            raise SerialGone(f"Serial {serial} {why}. Read /v1/federated whole and go on from the serial it has.")
        lines = self._window.lines
        return lines[bisect_right(lines, serial, key=attrgetter("serial")) :]
