"""The chart of freshness over time: bands of sources by state, in percent of its width and pixels of its height.

Pure. It begins with the first record, or the window before now where that is later. Times without a record are gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from shared.model.spans import Span, coarse
from shared.model.status import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.status import State

_DAY = 86400
WINDOWS: dict[str, int] = {"day": _DAY, "week": 7 * _DAY, "month": 30 * _DAY}
"""The windows of the chart, in seconds."""

STACK: tuple[State, ...] = ("fresh", "held", "stale", "failed", "never", "disabled")
"""The states in the order of their bands, the lowest first."""

# Pixels above the bands, and of the bands.
TOP, HEIGHT = 26, 180
LEAST_SECONDS = 60
# Spans are joined to this many at most, so that a page is no larger for a month than for a day.
_COLUMNS = 360
# Pixels: the least height of a band that is not empty.
_THINNEST = 3.0
# Seconds between two labels or rows: lengths of time that people find round.
_STEPS = (60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, _DAY, 2 * _DAY, 7 * _DAY)
_MOST_TICKS, _MOST_LINES = 5, 15
# A shorter break between two records, as of a restart, is not drawn.
_GAP_SECONDS = 120
# Percent of the width: a label nearer to an end would not fit.
_LEFT, _RIGHT = 8.0, 72.0


class Box(NamedTuple):
    """A rectangle: *x* and *width* in percent, *y* and *height* in pixels."""

    x: float
    y: float
    width: float
    height: float


class Tick(NamedTuple):
    """A label on the time axis; *x* in percent."""

    x: float
    label: str


class PeriodRow(NamedTuple):
    """A period from *since* to the next row: the counts at its end, None without a record, and the fewest fresh."""

    since: str
    counts: dict[State, int] | None
    fewest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The chart and its table. *fewest* and *most* are fresh sources at a time, *unseen* the seconds in gaps."""

    seconds: int
    top: int
    bands: dict[State, list[Box]]
    gaps: list[Box]
    ticks: list[Tick]
    lines: list[PeriodRow]
    states: list[State]
    unseen: int
    fewest: int
    most: int
    choices: list[str]


def picture(spans: Sequence[Span], now: datetime, window: str) -> Picture | None:
    """Return the chart of *spans* up to *now* over *window*, a key of WINDOWS; None with under a minute of records."""
    end = int(now.timestamp())
    recorded = end - spans[0].since if spans else 0
    if recorded < LEAST_SECONDS:
        return None
    axis = _Axis(max(spans[0].since, end - WINDOWS[window]), end)
    visible = [span._replace(since=max(span.since, axis.began)) for span in spans if span.until >= axis.began]
    holes = [(span.until, other.since) for span, other in pairwise(visible) if other.since - span.until >= _GAP_SECONDS]
    width = max(axis.seconds // _COLUMNS, 1)
    fresh = [_counts_of(span)["fresh"] for span in visible]
    return Picture(
        seconds=axis.seconds,
        top=max(span.total for span in visible),
        bands=_bands(coarse(visible, lambda _: width), axis),
        gaps=[axis.box(since, until, TOP, HEIGHT) for since, until in holes],
        ticks=_ticks(axis),
        lines=_lines(visible, axis),
        states=[state for state in STACK if any(_counts_of(span)[state] for span in visible)],
        unseen=sum(until - since for since, until in holes),
        fewest=min(fresh),
        most=max(fresh),
        choices=_choices(recorded, window),
    )


class _Axis(NamedTuple):
    began: int
    end: int

    @property
    def seconds(self) -> int:
        return self.end - self.began

    def place(self, moment: int) -> float:
        return round(100 * (moment - self.began) / self.seconds, 2)

    def box(self, since: int, until: int, y: float, height: float) -> Box:
        x = self.place(since)
        return Box(x, round(y, 1), round(self.place(until) - x, 2), round(height, 1))

    def step(self, most: int) -> int:
        """Return the shortest round length in seconds of which at most *most* fit into the axis."""
        return next((step for step in _STEPS if self.seconds / step <= most), _STEPS[-1])


def _choices(recorded: int, window: str) -> list[str]:
    """Return the windows that show more than the next shorter one, and *window* itself."""
    lengths = [0, *WINDOWS.values()]
    return [name for name, shorter in zip(WINDOWS, lengths, strict=False) if recorded > shorter or name == window]


def _counts_of(span: Span) -> dict[State, int]:
    return dict(zip(STATES, span.counts, strict=True))


def _bands(spans: Sequence[Span], axis: _Axis) -> dict[State, list[Box]]:
    bands: dict[State, list[Box]] = {state: [] for state in STACK}
    top = max(1, *(span.total for span in spans))
    for span in spans:
        ground = float(TOP + HEIGHT)
        for state, height in _heights(_counts_of(span), top).items():
            ground -= height
            if height:
                _extend(bands[state], axis.box(span.since, span.until, ground, height))
    return bands


def _heights(counts: dict[State, int], top: int) -> dict[State, float]:
    """Return the height of each band; one source among thousands gets _THINNEST, which the highest band loses."""
    exact = {state: HEIGHT * counts[state] / top for state in STACK}
    heights = {state: max(height, _THINNEST) if height else 0.0 for state, height in exact.items()}
    highest = max(heights, key=lambda state: heights[state])
    heights[highest] -= sum(heights.values()) - sum(exact.values())
    return heights


def _extend(boxes: list[Box], box: Box) -> None:
    """Append *box*, or widen the last one where *box* continues it at the same height."""
    last = boxes[-1] if boxes else None
    if last and (last.y, last.height) == (box.y, box.height) and box.x - last.x - last.width < 0.01:  # noqa: PLR2004 - rounded
        boxes[-1] = last._replace(width=round(box.x + box.width - last.x, 2))
    else:
        boxes.append(box)


def _ticks(axis: _Axis) -> list[Tick]:
    """Return labels at round moments, except near the ends, where they would not fit."""
    step = axis.step(_MOST_TICKS)
    moments = range(axis.began - axis.began % step + step, axis.end, step)
    ticks = [Tick(axis.place(moment), _named(moment)) for moment in moments]
    return [tick for tick in ticks if _LEFT <= tick.x <= _RIGHT]


def _named(moment: int) -> str:
    date = datetime.fromtimestamp(moment, UTC)
    return f"{date:%H:%M}" if moment % _DAY else f"{date.day} {date:%b}"


def _lines(spans: Sequence[Span], axis: _Axis) -> list[PeriodRow]:
    """Return the rows of the table below the chart, the newest first."""
    step = axis.step(_MOST_LINES)
    moments = [axis.began, *range(axis.began - axis.began % step + step, axis.end, step)]
    return [_line(spans, since, until) for since, until in pairwise([*moments, axis.end])][::-1]


def _line(spans: Sequence[Span], since: int, until: int) -> PeriodRow:
    inside = [_counts_of(span) for span in spans if span.since < until and span.until >= since]
    date = datetime.fromtimestamp(since, UTC)
    fewest = min((counts["fresh"] for counts in inside), default=0)
    return PeriodRow(f"{date.day} {date:%b, %H:%M}", inside[-1] if inside else None, fewest)
