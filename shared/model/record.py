"""The record of a source beside its status: its faults and since when, for findings and for the next start."""

from __future__ import annotations

from itertools import accumulate
from sys import getsizeof
from typing import TYPE_CHECKING, NamedTuple

from shared.model.status import Status  # noqa: TC001 - saved values are held against their types

if TYPE_CHECKING:
    from collections.abc import Sequence

    Fault = tuple[int, int, str, str, str | None]

MOST_FAULTS = 100
MOST_BYTES = 32 * 1024
"""What the texts of the faults of one source may take in memory: a hundred faults of 300 bytes, or fewer long ones."""


class DatedFault(NamedTuple):
    """One fault of the index of the last check: its place, what is wrong, and *since* when (RFC 3339)."""

    line: int
    column: int
    pointer: str
    detail: str
    hint: str | None
    since: str


class RecordDetails(NamedTuple):
    """*failing_since* is the first of the failures in a row; *faults* are the faults of the last check.

    Moments of the hub's running time, None where there is none: *seen_since* is since when every check has seen the
    held content, *good* the last check that found the source in order, *looked* (of watched time) the last check or
    registration.
    *wait* is in how many seconds the next check was due.
    """

    faults: tuple[DatedFault, ...] = ()
    failing_since: str | None = None
    seen_since: float | None = None
    good: float | None = None
    looked: float | None = None
    wait: float | None = None


class Record(NamedTuple):
    """The status of the source of *repo* and its *details*, at one *revision* of its registration.

    That is the registration made *registered_at* with this *sequence*, which tells it from others of the name: a clock
    that stands still or was set back dates two of them alike. Files of format 2 have no sequence, which is 0 then,
    those of format 1 neither the time nor the revision: 0.
    """

    repo: str
    url: str
    registered_at: str
    revision: int
    status: Status
    details: RecordDetails
    sequence: int = 0


def dated_faults(faults: Sequence[Fault], before: tuple[DatedFault, ...], now: str) -> tuple[DatedFault, ...]:
    """Return *faults* (line, column, pointer, detail and hint of each) with their dates.

    They are the first MOST_FAULTS of them, or as many as MOST_BYTES hold. One that was there *before*, perhaps on
    another line, keeps its date; the others get *now* (RFC 3339).
    """
    since = {(mark.pointer, mark.detail): mark.since for mark in before}
    # getsizeof and not len: a text with one character beyond U+FFFF takes four bytes for each (PEP 393).
    sizes = accumulate(sum(map(getsizeof, fault[2:])) for fault in faults[:MOST_FAULTS])
    few = sum(size <= MOST_BYTES for size in sizes)
    dated = [DatedFault(*fault, now) for fault in faults[:few]]
    return tuple(fault._replace(since=since.get((fault.pointer, fault.detail), now)) for fault in dated)
