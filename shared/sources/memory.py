"""The record of a source beside its status: its faults and since when, for findings and for the next start."""

from __future__ import annotations

from itertools import accumulate
from sys import getsizeof
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.formats.documents import Fault

MOST_FAULTS = 100
MOST_BYTES = 32 * 1024
"""What the texts of the faults of one source may take in memory: a hundred faults of 300 bytes, or fewer long ones."""


class Mark(NamedTuple):
    """One fault of the index that the last check brought: its place, what is wrong, and since when it is."""

    line: int
    column: int
    pointer: str
    detail: str
    hint: str | None
    since: str


class Memory(NamedTuple):
    """*failing_since* is the first of the failures in a row; *marks* are the faults of the last check.

    Moments of the hub's running time, None where there is none: *seen* is since when every check has seen what is held,
    *good* the last check that found the source in order, *looked* (of watched time) the last check or registration.
    *wait* is in how many seconds the next check was due.
    """

    marks: tuple[Mark, ...] = ()
    failing_since: str | None = None
    seen: float | None = None
    good: float | None = None
    looked: float | None = None
    wait: float | None = None


def marked(faults: Sequence[Fault], before: tuple[Mark, ...], now: str) -> tuple[Mark, ...]:
    """Return *faults* as marks, at most 100, and the first ones that MOST_BYTES hold.

    One that was there *before*, perhaps on another line, keeps its date.
    """
    since = {(mark.pointer, mark.detail): mark.since for mark in before}
    sizes = accumulate(sum(map(getsizeof, fault[2:])) for fault in faults[:MOST_FAULTS])
    few = sum(size <= MOST_BYTES for size in sizes)
    return tuple(Mark(*fault, since.get((fault.pointer, fault.detail), now)) for fault in faults[:few])
