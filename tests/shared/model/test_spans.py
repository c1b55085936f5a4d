from __future__ import annotations

import random
from itertools import pairwise

from shared.model.spans import KEPT_SECONDS, Span, coarse, thinned, with_look

FINE, BAD, WORSE = (0, 3, 0, 0, 0, 0), (0, 2, 1, 0, 0, 0), (0, 1, 1, 1, 0, 0)
NOW = 1_800_000_000
DAY = 86400


def test_a_span_grows_while_nothing_changes() -> None:
    spans = with_look([], 100, FINE, first=True)
    for now in (160, 220):
        spans = with_look(spans, now, FINE, first=False)

    assert spans == [Span(100, 220, FINE)]


def test_a_change_begins_a_span_where_the_last_one_ends() -> None:
    assert with_look([Span(100, 160, FINE)], 220, BAD, first=False) == [Span(100, 220, FINE), Span(220, 220, BAD)]


def test_what_nobody_saw_is_a_gap() -> None:
    away = [Span(100, 160, FINE), Span(1000, 1000, FINE)]

    assert with_look([Span(100, 160, FINE)], 1000, FINE, first=False) == away
    assert with_look([Span(100, 160, FINE)], 1000, FINE, first=True) == away
    assert with_look([Span(100, 160, FINE)], 170, FINE, first=True) == [Span(100, 160, FINE), Span(170, 170, FINE)]


def test_a_clock_that_was_set_back_drops_what_lies_ahead() -> None:
    spans = [Span(100, 160, FINE), Span(160, 400, BAD), Span(400, 500, FINE)]

    assert with_look(spans, 200, BAD, first=False) == [Span(100, 160, FINE), Span(160, 200, BAD)]
    assert with_look(spans, 50, BAD, first=False) == [Span(50, 50, BAD)]


def test_of_a_stretch_the_worst_is_kept_and_what_goes_on_beyond_it_stays() -> None:
    spans = [Span(0, 3, FINE), Span(3, 5, WORSE), Span(5, 7, BAD), Span(7, 40, FINE)]

    assert coarse(spans, lambda _: 10) == [Span(0, 10, WORSE), Span(10, 40, FINE)]


def test_a_gap_is_never_filled() -> None:
    spans = [Span(0, 3, FINE), Span(6, 30, BAD), Span(33, 40, FINE), Span(41, 42, FINE)]

    assert coarse(spans, lambda _: 10) == [Span(6, 10, BAD), Span(10, 30, BAD), Span(33, 40, FINE), Span(41, 42, FINE)]
    assert coarse([Span(0, 8, BAD), Span(9, 12, FINE)], lambda _: 10) == [Span(0, 8, BAD), Span(10, 12, FINE)]


def test_equal_neighbours_are_one() -> None:
    assert coarse([Span(0, 30, FINE), Span(30, 60, FINE)], lambda _: 10) == [Span(0, 60, FINE)]


def test_a_month_of_unrest_stays_small_and_the_oldest_is_forgotten() -> None:
    chance = random.Random(1)  # noqa: S311 - the same in every run
    moments = range(NOW - 40 * DAY, NOW, 60)
    spans = [Span(at, at + 60, chance.choice((FINE, BAD, WORSE))) for at in moments]

    kept = thinned(spans, NOW)

    assert kept[0].since == NOW - KEPT_SECONDS
    assert kept[-1].until == NOW
    assert len(kept) <= 1440 + 6 * 96 + 23 * 12 + 3
    assert all(one.until == other.since for one, other in pairwise(kept))
    assert len(thinned(kept, NOW)) <= len(kept)
    for one in spans[-1400:]:
        assert [span.counts for span in kept if span.since <= one.since < span.until] == [one.counts]


def test_counts_what_a_person_should_look_into() -> None:
    assert (Span(0, 1, (1, 2, 3, 4, 5, 6)).total, Span(0, 1, (1, 2, 3, 4, 5, 6)).troubled) == (21, 13)
