"""The change lines of the last serials of the federated index, for readers of the change feed."""

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
        """Start without lines; at most as many are kept as *bounds* allow."""
        self._window = self._following = Window((), bounds)
        self._serial = 0

    def start(self, serial: int, lines: Iterable[ChangeLine] = ()) -> None:
        """Start at *serial* with *lines*, the newest of which ends at it; older ones may be missing."""
        self._window, self._serial = Window(lines, self._window.bounds), serial

    def with_line(self, line: ChangeLine) -> Sequence[ChangeLine]:
        """Return all lines with *line* as the newest; they count once it is kept.

        It costs as much as *line* is long and, from half of the bytes on that the window may take, reading two pairs of
        older lines that are joined: to be called in a thread, and in one at a time.
        """
        self._following = self._window.plus(line)
        return self._following.lines

    def keep(self, line: ChangeLine) -> None:
        """Add *line*, the one of the last call of ``with_line``, as that of the present serial."""
        self._serial, self._window = line.serial, self._following

    @property
    def oldest(self) -> int:
        """The oldest serial since which all changes are kept."""
        lines = self._window.lines
        return lines[0].first - 1 if lines else self._serial

    def since(self, serial: int) -> list[ChangeLine]:
        """Return the lines after *serial*, the oldest first; raise SerialGone where some of them are not kept."""
        if not self.oldest <= serial <= self._serial:
            ahead = f"lies ahead of {self._serial}, the present one"
            why = ahead if serial > self._serial else f"is older than {self.oldest}, the oldest that is known"
            raise SerialGone(f"Serial {serial} {why}. Read /v1/federated whole and go on from the serial it has.")
        lines = self._window.lines
        return lines[bisect_right(lines, serial, key=attrgetter("serial")) :]
