"""The change lines that the feed can still answer with: within a bound of bytes, the older ones joined.

Joining saves the bytes of names that changed more than once, and what stands around the names of each line. It goes on
a little with every write, two small pairs at most, so that no write costs as much as all lines are long.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from shared.model.lines import ChangeLine

if TYPE_CHECKING:
    from collections.abc import Iterable

_JOINS = 2
"""How many pairs a write joins at most: with one alone, lines would never become fewer."""

_FIRST = len(b'"first":9007199254740991,')
"""By so much a line may grow when one whose names it has all is joined with it."""


class WindowBounds(NamedTuple):
    """How much a window holds.

    Beyond so many *lines*, older ones are joined; the newest half is never joined for this. The newest serials whose
    lines take *bytes*, one by one, are there; older ones as far as joining made room. A joined line takes no more than
    *joined_bytes*, unless its last serial alone took as much; then it has the names of that, no others.
    """

    lines: int = 1000
    bytes: int = 16 * 2**20
    joined_bytes: int = 2**20


DEFAULT_WINDOW = WindowBounds()


class Window:
    """Lines that follow one on the other, the oldest first.

    They take at most the bytes of *bounds* and one joined line more. Of the lines that were added one by one, the
    newest that take as many together are always there, each as it is or joined: joining never makes the window shorter.
    """

    def __init__(self, lines: Iterable[ChangeLine] = (), bounds: WindowBounds = DEFAULT_WINDOW) -> None:
        """Begin with nothing and add *lines*."""
        self.bounds = bounds
        self.lines: list[ChangeLine] = []
        self.size = 0
        for line in lines:
            self.add(line)

    def plus(self, line: ChangeLine) -> Window:
        """Return another window, with *line* as the newest; this one stays as it is."""
        following = Window((), self.bounds)
        following.lines, following.size = self.lines.copy(), self.size
        following.add(line)
        return following

    def add(self, line: ChangeLine) -> None:
        """Let *line* be the newest."""
        self.lines.append(line)
        self.size += len(line.text)
        for _ in range(_JOINS):
            # From half of the bytes on, so that there is room by the time that it is needed.
            if len(self.lines) > self.bounds.lines or self.size > self.bounds.bytes // 2:
                self._join()
        self._forget()

    def _join(self) -> None:
        """Join the two older neighbours that are the shortest together, where that takes less than they do."""
        lines = self.lines
        older = lines[: self._newest()]
        pairs = [
            (len(line.text) + len(following.text), place)
            for place, (line, following) in enumerate(pairwise(older))
            if not line.apart
        ]
        if not pairs:
            return
        size, place = min(pairs)
        line, following = older[place : place + 2]
        joined = self._joined(line, following)
        if joined is None:
            # Two lines this long are not read again and again for nothing.
            lines[place] = line._replace(apart=True)
            return
        lines[place : place + 2] = [joined]
        self.size += len(joined.text) - size

    def _newest(self) -> int:
        """Return where the newest lines begin, half of all lines and a quarter of all bytes at most."""
        place, room = len(self.lines), self.bounds.bytes // 4
        last = max(place - self.bounds.lines // 2, 0)
        while place > last and len(self.lines[place - 1].text) <= room:
            place -= 1
            room -= len(self.lines[place].text)
        return place

    def _forget(self) -> None:
        """Leave out the oldest lines that are not among the bytes of the bounds one by one.

        A joined line goes as a whole, so it stays until what is newer takes as many without it.
        """
        count = 0
        while count < len(self.lines):
            rest = self.size - len(self.lines[count].text)
            if rest + self._of_last_serial(self.lines[count]) <= self.bounds.bytes:
                break
            count, self.size = count + 1, rest
        del self.lines[:count]

    def _joined(self, older: ChangeLine, newer: ChangeLine) -> ChangeLine | None:
        """Return both as one line, or None where that takes more than it may and more than the last serial does."""
        most = max(self.bounds.joined_bytes, self._of_last_serial(newer) + _FIRST)
        long = len(older.text) + len(newer.text) > 2 * self.bounds.joined_bytes
        if long and _last_name(older) not in newer.text:
            return None
        joined = ChangeLine.joined((older, newer))
        return joined if len(joined.text) <= most else None

    def _of_last_serial(self, line: ChangeLine) -> int:
        """Return how many bytes the last serial of *line* took by itself, at least."""
        if not line.joins:
            return len(line.text)
        return len(line.text) - _FIRST if len(line.text) > self.bounds.joined_bytes else 0


def _last_name(line: ChangeLine) -> bytes:
    """Return the last name of *line* in quotes; where it is not in a newer one, that has not all names of *line*."""
    return b'"%b"' % line.text.rsplit(b'"', 2)[1]
