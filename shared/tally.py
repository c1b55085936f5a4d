"""Counters of this process for its metrics: plain numbers, which cost little to count.

Only the event loop's thread writes here, so nothing needs a lock.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate, product
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Key = TypeVar("Key")

ANSWERS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WRITTEN = ("registrations", "contents", "states", "federation")
WORK = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)


class Durations:
    """A histogram of seconds: counts by upper bound, the last of all that took longer, and the total."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def note(self, seconds: float) -> None:
        """Count one duration of *seconds*."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (bound, count of durations up to it) for Prometheus; the last bound is ``+Inf``."""
        labels = [*map(str, self.bounds), "+Inf"]
        return list(zip(labels, accumulate(self.counts), strict=True))


def _of_work() -> Durations:
    return Durations(WORK)


def _zeros(*keys: Key) -> Callable[[], Counter[Key]]:
    # A series that first appears at 1 shows no increase, so those that alerts watch exist from the start.
    return lambda: Counter(dict.fromkeys(keys, 0))


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts since the start.

    *requests* is by method, route and status, *answers* by route, *checks* by outcome, *writes* by kind (WRITTEN) and
    result (``done``, ``failed``); *failing* has the kinds whose last write failed. *moments* are seconds since the
    epoch: ``start``, and ``backup`` for the last one that was taken.
    """

    requests: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    answers: dict[str, Durations] = field(default_factory=dict)
    checks: Counter[str] = field(default_factory=_zeros("changed", "unchanged", "held", "failed"))
    fetches: Durations = field(default_factory=_of_work)
    compositions: Durations = field(default_factory=_of_work)
    writes: Counter[tuple[str, str]] = field(default_factory=_zeros(*product(WRITTEN, ("done", "failed"))))
    write_seconds: Durations = field(default_factory=_of_work)
    failing: set[str] = field(default_factory=set)
    moments: dict[str, float] = field(default_factory=dict)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request, and the *seconds* until the end of its answer."""
        self.requests[method, route, status] += 1
        durations = self.answers.get(route)
        if durations is None:
            durations = self.answers[route] = Durations(ANSWERS)
        durations.note(seconds)

    def checked(self, outcome: str, seconds: float) -> None:
        """Count one check of a source, and the *seconds* that the source took."""
        self.checks[outcome] += 1
        self.fetches.note(seconds)

    def wrote(self, kind: str, result: str, writes: int = 1) -> None:
        """Count *writes* of *kind*, one of WRITTEN; *result* is ``done`` or ``failed``."""
        self.writes[kind, result] += writes
        (self.failing.add if result == "failed" else self.failing.discard)(kind)

    def registered(self, result: str, writes: int, seconds: float) -> None:
        """Count *writes* of registrations that one durable write of *seconds* held."""
        self.wrote("registrations", result, writes)
        self.write_seconds.note(seconds)
