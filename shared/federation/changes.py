"""What the last serials changed, by name: enough to tell a reader of an older one what to read again.

A line tells what one serial changed or, of older ones, what several in a row did. The feed tells the present state of
each name, so a reader that was at a serial among those several is told of more names than changed, and nothing wrong.
"""

from __future__ import annotations

import contextlib
from bisect import bisect_right
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from shared.files import storage_problem, write_all, write_whole
from shared.problems import SerialGone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from shared.compose import Composition
    from shared.index.content import Entry

FORMAT = 1
MOST_LINES = 1000
"""Past so many the older half is merged, two and two: within MOST_BYTES the newest 500 stay one by one."""

MOST_BYTES = 16 * 2**20
"""Past so much the older half is merged to one line. Where that is too much still, the oldest are dropped."""

_LEFT = 15 / 16
"""What is dropped makes room for more than one line, so that not every line costs a merging of them all."""


@dataclass(slots=True)
class Delta:
    """Names that came or changed (True) or went (False): of sources, and of capabilities by their repo."""

    sources: dict[str, bool] = field(default_factory=dict)
    capabilities: dict[str, dict[str, bool]] = field(default_factory=dict)

    @classmethod
    def between(cls, before: Composition, after: Composition) -> Self:
        """Return what makes *after* of *before*."""
        old, new = _by_repo(before), _by_repo(after)
        repos = sorted(old.keys() | new.keys())
        delta = cls(sources={repo: repo in new for repo in repos if old.get(repo, _NONE)[0] != new.get(repo, _NONE)[0]})
        for repo in repos:
            if ids := _changed(old.get(repo, _NONE)[1], new.get(repo, _NONE)[1]):
                delta.capabilities[repo] = ids
        return delta

    def add(self, later: Delta) -> None:
        """Let *later* happen too: of each name its last change counts."""
        self.sources |= later.sources
        for repo, ids in later.capabilities.items():
            self.capabilities.setdefault(repo, {}).update(ids)


_NONE: tuple[dict[str, Any] | None, tuple[Entry, ...]] = (None, ())


def _by_repo(composition: Composition) -> dict[str, tuple[dict[str, Any] | None, tuple[Entry, ...]]]:
    rows = zip(composition.sources, composition.shares, strict=True)
    return {row["repo"]: (row, share) for row, share in rows}


def _changed(old: tuple[Entry, ...], new: tuple[Entry, ...]) -> dict[str, bool]:
    if old is new:
        return {}
    known, present = ({entry.id: entry for entry in share} for share in (old, new))
    names = sorted(known.keys() | present.keys())
    return {name: name in present for name in names if known.get(name) != present.get(name)}


class Line(NamedTuple):
    """What the serials from *first* to *serial* changed, as it lies on disk.

    *substance* is the digest of what *serial* says.
    """

    serial: int
    substance: str
    text: bytes
    first: int

    @classmethod
    def of(cls, serial: int, substance: str, delta: Delta) -> Self:
        """Return the line that tells *delta*."""
        told = {"format": FORMAT, "serial": serial, "substance": substance, "delta": delta}
        return cls(serial, substance, orjson.dumps(told) + b"\n", serial)

    @classmethod
    def joined(cls, lines: Sequence[Line]) -> Self:
        """Return the one line that tells what *lines*, which follow one on the other, tell together.

        Versions that know no merged lines take it for that of its last serial alone: their window is shorter.
        """
        first, last = lines[0].first, lines[-1]
        told = {"format": FORMAT, "first": first, "serial": last.serial, "substance": last.substance}
        return cls(last.serial, last.substance, orjson.dumps(told | {"delta": merged(lines)}) + b"\n", first)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Return the line in *text*, or raise ValueError or KeyError when it is none."""
        told = orjson.loads(text)
        if told["format"] != FORMAT or not text.endswith(b"\n"):
            raise ValueError(text)
        return cls(told["serial"], told["substance"], text, told.get("first", told["serial"]))

    @property
    def delta(self) -> Delta:
        """What it tells."""
        return Delta(**orjson.loads(self.text)["delta"])


class Changes:
    """The lines of the last serials, in memory and on disk: at most MOST_LINES and MOST_BYTES of them.

    The file is a help, not a promise: it is never waited for, and a line that a power cut took, or one that does not
    lead to the serial that is served, only makes the window shorter. So a reader may be told to start anew, but never
    something wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[Line] = []
        self._following: list[Line] = []  # what the lines are once the written one is kept
        self._in_file = (0, 0)  # lines and bytes, with those that were merged or left out since
        self._torn = False
        self._serial = 0

    def load(self, serial: int, substance: str) -> None:
        """Take up what lies on disk, as far as it leads to *serial*, whose substance is given."""
        self._serial = serial
        lines = [line for line in _leading_up(self._read()) if line.serial <= serial]
        if lines and (lines[-1].serial, lines[-1].substance) == (serial, substance):
            self._lines = fitting(lines)
        self._torn = True  # whatever else lies there goes with the next line

    def _read(self) -> list[bytes]:
        with contextlib.suppress(OSError):
            return self._path.read_bytes().splitlines(keepends=True)
        return []

    def start_anew(self, serial: int) -> None:
        """Forget every line: what led to *serial* is not known."""
        self._lines, self._serial, self._torn = [], serial, True

    def write(self, line: Line) -> None:
        """Write *line*; it counts when it is kept. For one thread at a time. Raise StorageUnavailable.

        Merging older lines takes as long as reading them; so it happens here, beside the event loop, and not in keep.
        """
        self._following = fitting([*self._lines, line])
        try:
            count, size = self._in_file[0] + 1, self._in_file[1] + len(line.text)
            if self._torn or count > 4 * MOST_LINES or size > 2 * MOST_BYTES:
                write_whole(self._path, b"".join([one.text for one in self._following]))
                count, size, self._torn = len(self._following), _size(self._following), False
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
        self._serial, self._lines = line.serial, self._following

    @property
    def oldest(self) -> int:
        """The oldest serial that a reader may be at."""
        return self._lines[0].first - 1 if self._lines else self._serial

    def since(self, serial: int) -> list[Line]:
        """Return the lines that tell what came after *serial*, or raise SerialGone where not all of that is known."""
        if not self.oldest <= serial <= self._serial:
            ahead = f"lies ahead of {self._serial}, the present one"
            why = ahead if serial > self._serial else f"is older than {self.oldest}, the oldest that is known"
            raise SerialGone(f"Serial {serial} {why}. Read /v1/federated whole and go on from the serial it has.")
        return self._lines[bisect_right(self._lines, serial, key=attrgetter("serial")) :]


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


def fitting(lines: list[Line]) -> list[Line]:
    """Return *lines* within MOST_LINES and MOST_BYTES, the older ones merged; of too much the oldest is left out."""
    while len(lines) > MOST_LINES:
        half = len(lines) // 2 + 1
        older, newer = lines[:half], lines[half:]
        lines = [Line.joined(older[start : start + 2]) for start in range(0, len(older), 2)] + newer
    if _size(lines) <= MOST_BYTES:
        return lines
    older, newer = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    together = [Line.joined(older), *newer] if older else lines
    return together if _size(together) <= _LEFT * MOST_BYTES else _newest(lines)


def _newest(lines: list[Line]) -> list[Line]:
    room, start = _LEFT * MOST_BYTES, len(lines)
    while start and len(lines[start - 1].text) <= room:
        start -= 1
        room -= len(lines[start].text)
    return lines[start:]


def _size(lines: Iterable[Line]) -> int:
    return sum(len(line.text) for line in lines)


def merged(lines: Iterable[Line]) -> Delta:
    """Return what *lines* amount to."""
    delta = Delta()
    for line in lines:
        delta.add(line.delta)
    return delta
