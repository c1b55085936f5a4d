"""What each of the last serials changed, by name: enough to tell a reader of an older one what to read again."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson

from shared.files import storage_problem, write_all, write_whole
from shared.problems import SerialGone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.compose import Composition
    from shared.index.content import Entry

FORMAT = 1
WINDOW = 1000
"""So many serials back a reader may be."""

MOST_BYTES = 16 * 2**20
"""Past so much the window is shorter: what is told is bounded, whatever publishers do."""


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
    """What one serial changed, as it lies on disk; *substance* is the digest of what the serial says."""

    serial: int
    substance: str
    text: bytes

    @classmethod
    def of(cls, serial: int, substance: str, delta: Delta) -> Self:
        """Return the line that tells *delta*."""
        told = {"format": FORMAT, "serial": serial, "substance": substance, "delta": delta}
        return cls(serial, substance, orjson.dumps(told) + b"\n")

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Return the line in *text*, or raise ValueError or KeyError when it is none."""
        told = orjson.loads(text)
        if told["format"] != FORMAT or not text.endswith(b"\n"):
            raise ValueError(text)
        return cls(told["serial"], told["substance"], text)

    @property
    def delta(self) -> Delta:
        """What it tells."""
        return Delta(**orjson.loads(self.text)["delta"])


class Changes:
    """The lines of the last serials, in memory and on disk.

    The file is a help, not a promise: it is never waited for, and a line that a power cut took, or one that does not
    lead to the serial that is served, only makes the window shorter. So a reader may be told to start anew, but never
    something wrong.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: deque[Line] = deque()
        self._bytes = 0
        self._surplus = 0  # bytes in the file that are not in the window
        self._torn = False
        self._serial = 0

    def load(self, serial: int, substance: str) -> None:
        """Take up what lies on disk, as far as it leads to *serial*, whose substance is given."""
        self._serial = serial
        lines = [line for line in _leading_up(self._read()) if line.serial <= serial]
        if lines and (lines[-1].serial, lines[-1].substance) == (serial, substance):
            for line in lines:
                self._keep(line)
        self._surplus = MOST_BYTES  # whatever else lies there goes with the next line

    def _read(self) -> list[bytes]:
        with contextlib.suppress(OSError):
            return self._path.read_bytes().splitlines(keepends=True)
        return []

    def start_anew(self, serial: int) -> None:
        """Forget every line: what led to *serial* is not known."""
        self._lines.clear()
        self._serial, self._bytes, self._surplus = serial, 0, MOST_BYTES

    def write(self, line: Line) -> None:
        """Write *line*; it counts when it is kept. For one thread at a time. Raise StorageUnavailable."""
        try:
            if self._surplus >= MOST_BYTES or self._torn:
                write_whole(self._path, b"".join([*(one.text for one in self._lines), line.text]))
                self._surplus, self._torn = 0, False
            else:
                self._append(line.text)
        except OSError as fault:
            self._torn = True
            raise storage_problem(fault) from fault

    def _append(self, text: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            write_all(file, text)

    def keep(self, line: Line) -> None:
        """Let *line*, which was written, be the last serial."""
        self._serial = line.serial
        self._keep(line)

    def _keep(self, line: Line) -> None:
        self._lines.append(line)
        self._bytes += len(line.text)
        while len(self._lines) > WINDOW or self._bytes > MOST_BYTES:
            dropped = len(self._lines.popleft().text)
            self._bytes -= dropped
            self._surplus += dropped

    @property
    def oldest(self) -> int:
        """The oldest serial that a reader may be at."""
        return self._serial - len(self._lines)

    def since(self, serial: int) -> list[Line]:
        """Return the lines after *serial*, or raise SerialGone where not all of them are known."""
        if not self.oldest <= serial <= self._serial:
            ahead = f"lies ahead of {self._serial}, the present one"
            why = ahead if serial > self._serial else f"is older than {self.oldest}, the oldest that is known"
            raise SerialGone(f"Serial {serial} {why}. Read /v1/federated whole and go on from the serial it has.")
        return list(self._lines)[serial - self.oldest :]


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
        while lines and lines[-1].serial >= line.serial:
            lines.pop()
        if lines and lines[-1].serial + 1 != line.serial:
            lines.clear()
        lines.append(line)
    return lines


def merged(lines: Iterable[Line]) -> Delta:
    """Return what *lines* amount to."""
    delta = Delta()
    for line in lines:
        delta.add(line.delta)
    return delta
