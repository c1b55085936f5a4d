from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.model.spans import Span
from shared.model.status import STATES, State
from shared.pages.freshness import HEIGHT, TOP, Box, picture

NOW = datetime(2026, 11, 23, 10, 0, 0, tzinfo=UTC)
END = int(NOW.timestamp())
HOUR, DAY = 3600, 86400


def span(ago: int, until: int, **counts: int) -> Span:
    """Return a span that lies so many seconds before the end."""
    return Span(END - ago, END - until, tuple(counts.get(state, 0) for state in STATES))


@pytest.mark.parametrize("spans", [(), (span(59, 0, fresh=1),)], ids=["nothing", "less than a minute"])
def test_too_little_is_not_drawn(spans: tuple[Span, ...]) -> None:
    assert picture(spans, NOW, "week") is None


def test_one_span_fills_the_whole_width() -> None:
    drawn = picture([span(180, 0, fresh=3, stale=1)], NOW, "week")

    assert drawn is not None
    assert drawn.bands["fresh"] == [Box(0.0, TOP + HEIGHT / 4, 100.0, HEIGHT * 3 / 4)]
    assert drawn.bands["stale"] == [Box(0.0, TOP, 100.0, HEIGHT / 4)]
    assert (drawn.states, drawn.top, drawn.fewest, drawn.most) == (["fresh", "stale"], 4, 3, 3)
    assert (drawn.gaps, drawn.choices) == ([], ["day", "week"])
    assert [line.since for line in drawn.lines] == ["23 Nov, 09:59", "23 Nov, 09:58", "23 Nov, 09:57"]


def test_looks_back_as_far_as_it_is_asked_to() -> None:
    spans = [span(20 * DAY, 2 * DAY, fresh=1), span(2 * DAY, 0, fresh=2)]

    seconds, choices = [], []
    for window in ("day", "week", "month"):
        drawn = picture(spans, NOW, window)
        assert drawn is not None
        seconds.append(drawn.seconds)
        choices.append(drawn.choices)

    assert seconds == [DAY, 7 * DAY, 20 * DAY]
    assert choices == [["day", "week", "month"]] * 3


def test_a_gap_is_left_empty_and_told() -> None:
    drawn = picture([span(10 * HOUR, 6 * HOUR, fresh=2), span(4 * HOUR, 0, fresh=2)], NOW, "day")

    assert drawn is not None
    assert drawn.gaps == [Box(40.0, TOP, 20.0, HEIGHT)]
    assert drawn.unseen == 2 * HOUR
    assert [(box.x, box.width) for box in drawn.bands["fresh"]] == [(0.0, 40.0), (60.0, 40.0)]
    assert [line.counts is None for line in drawn.lines] == [*[False] * 4, True, *[False] * 5]


def test_one_among_thousands_is_seen() -> None:
    drawn = picture([span(HOUR, 0, fresh=9999, failed=1)], NOW, "day")

    assert drawn is not None
    assert drawn.bands["failed"] == [Box(0.0, TOP, 100.0, 3.0)]
    assert drawn.bands["fresh"] == [Box(0.0, TOP + 3, 100.0, HEIGHT - 3)]


def test_a_short_trouble_is_seen_in_a_long_past() -> None:
    spans = [span(29 * DAY, 9 * DAY, fresh=2), span(9 * DAY, 9 * DAY - 60, stale=2), span(9 * DAY - 60, 0, fresh=2)]

    drawn = picture(spans, NOW, "month")

    assert drawn is not None
    assert len(drawn.bands["stale"]) == 1
    assert (drawn.fewest, drawn.most) == (0, 2)
    assert [line.fewest for line in drawn.lines].count(0) == 1


def test_times_that_would_not_fit_are_not_named() -> None:
    drawn = picture([span(DAY, 0, fresh=1)], NOW, "day")

    assert drawn is not None
    assert [tick.label for tick in drawn.ticks] == ["12:00", "18:00", "23 Nov"]


def test_a_past_without_sources_is_drawn_flat() -> None:
    empty: dict[State, int] = {}
    drawn = picture([span(HOUR, 1800, **empty), span(1800, 0, fresh=2)], NOW, "day")

    assert drawn is not None
    assert [(box.x, box.height) for box in drawn.bands["fresh"]] == [(50.0, HEIGHT)]


def test_a_band_that_goes_on_as_it_was_is_one_rectangle() -> None:
    drawn = picture([span(HOUR, 1800, fresh=3, stale=1), span(1800, 0, fresh=3, failed=1)], NOW, "day")

    assert drawn is not None
    assert [(box.x, box.width) for box in drawn.bands["fresh"]] == [(0.0, 100.0)]
    assert [(box.x, box.width) for box in drawn.bands["failed"]] == [(50.0, 50.0)]
