"""Which serials the change feed can still tell: lines within a bound of bytes, the older ones joined.

Joining saves the bytes of names that changed more than once, and what stands around the names of each line. It goes on
a little with every write, two small pairs at most, so that no write costs as much as all lines are long.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from shared.model.lines import ChangeLine

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_LINES = 1000
"""Beyond so many, older ones are joined; the newest half is never joined for this."""

MOST_BYTES = 16 * 2**20
"""The newest serials whose lines take so much, one by one, are there; older ones as far as joining made room."""

MOST_JOINED = 2**20
"""A joined line takes no more, unless its last serial alone took as much; then it has the names of that, no others."""

_JOINS = 2
"""How many pairs a write joins at most: with one alone, lines would never become fewer."""

_FIRST = len(b'"first":9007199254740991,')
"""By so much a line may grow when one whose names it has all is joined with it."""


class Window:
    """Lines that follow one on the other, the oldest first.

    They take at most MOST_BYTES and one joined line more. Of the lines that were added one by one, the newest that take
    MOST_BYTES together are always there, each as it is or joined: joining never makes the window shorter.
    """

    def __init__(self, lines: Iterable[ChangeLine] = ()) -> None:
        """Begin with nothing and add *lines*."""
        self.lines: list[ChangeLine] = []
        self.size = 0
        for line in lines:
            self.add(line)

    def plus(self, line: ChangeLine) -> Window:
        """Return another window, with *line* as the newest; this one stays as it is."""
        following = Window()
        following.lines, following.size = self.lines.copy(), self.size
        following.add(line)
        return following

    def add(self, line: ChangeLine) -> None:
        """Let *line* be the newest."""
        self.lines.append(line)
        self.size += len(line.text)
        for _ in range(_JOINS):
            # From half of the bytes on, so that there is room by the time that it is needed.
            if len(self.lines) > MOST_LINES or self.size > MOST_BYTES // 2:
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
        joined = _joined(line, following)
        if joined is None:
            # Two lines this long are not read again and again for nothing.
            lines[place] = line._replace(apart=True)
            return
        lines[place : place + 2] = [joined]
        self.size += len(joined.text) - size

    def _newest(self) -> int:
        """Return where the newest lines begin, half of MOST_LINES and a quarter of MOST_BYTES at most."""
        place, room = len(self.lines), MOST_BYTES // 4
        last = max(place - MOST_LINES // 2, 0)
        while place > last and len(self.lines[place - 1].text) <= room:
            place -= 1
            room -= len(self.lines[place].text)
        return place

    def _forget(self) -> None:
        """Leave out the oldest lines that are not among MOST_BYTES one by one.

        A joined line goes as a whole, so it stays until what is newer takes MOST_BYTES without it.
        """
        count = 0
        while count < len(self.lines):
            left = self.size - len(self.lines[count].text)
            if left + _of_last_serial(self.lines[count]) <= MOST_BYTES:
                break
            count, self.size = count + 1, left
        del self.lines[:count]


def _joined(older: ChangeLine, newer: ChangeLine) -> ChangeLine | None:
    """Return both as one line, or None where that takes more than MOST_JOINED and more than the last serial does."""
    most = max(MOST_JOINED, _of_last_serial(newer) + _FIRST)
    if len(older.text) + len(newer.text) > 2 * MOST_JOINED and _last_name(older) not in newer.text:
        return None
    joined = ChangeLine.joined((older, newer))
    return joined if len(joined.text) <= most else None


def _last_name(line: ChangeLine) -> bytes:
    """Return the last name of *line* in quotes; where it is not in a newer one, that has not all names of *line*."""
    return b'"%b"' % line.text.rsplit(b'"', 2)[1]


def _of_last_serial(line: ChangeLine) -> int:
    """Return how many bytes the last serial of *line* took by itself, at least."""
    if not line.joins:
        return len(line.text)
    return len(line.text) - _FIRST if len(line.text) > MOST_JOINED else 0
