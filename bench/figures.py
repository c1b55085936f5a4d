"""What a measurement comes to: the hub's cost beside its limit, and whether the goal is met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (100, 1_000, 10_000)


class Effort(NamedTuple):
    """How long a load lasts, and how often each is measured, what waits for deadlines too: the median counts."""

    seconds: float
    rounds: int
    slow_rounds: int


WHOLE, QUICK = Effort(3.0, 3, 3), Effort(1.0, 2, 1)


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on the ratio of hub to limit, or on the hub's own figure, in words and as a test."""

    text: str
    holds: Callable[[float, float], bool]


def at_least(ratio: float) -> Goal:
    """Ask that the hub reaches this share of the limit's rate."""
    return Goal(text=f"≥ {ratio} times", holds=lambda hub, limit: hub >= ratio * limit)


def at_most(ratio: float, or_below: float | None = None) -> Goal:
    """Ask that the hub takes at most so many times what the limit takes, or stays below an absolute figure."""
    text = f"≤ {ratio} times" if or_below is None else f"≤ {ratio} times or {or_below:g}"
    floor = -1.0 if or_below is None else or_below
    return Goal(text=text, holds=lambda hub, limit: hub <= max(ratio * limit, floor))


def below(figure: float) -> Goal:
    """Ask for an absolute figure, where nothing stands beside the hub."""
    return Goal(text=f"≤ {figure:g}", holds=lambda hub, _: hub <= figure)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table. *limit* is NaN where the goal is absolute; *size* counts repos or capabilities."""

    work: str
    size: int
    unit: str
    hub: float
    limit: float = float("nan")
    against: str = ""
    goal: Goal | None = None

    @property
    def ratio(self) -> float:
        """The hub's figure over the limit's."""
        return self.hub / self.limit

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where the row only shows the growth."""
        return None if self.goal is None else self.goal.holds(self.hub, self.limit)
