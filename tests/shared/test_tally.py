from __future__ import annotations

import pytest

from shared.tally import Durations, Tally


@pytest.mark.parametrize(
    ("seconds", "counts"),
    [(0.0, [1, 0, 0]), (0.1, [1, 0, 0]), (0.2, [0, 1, 0]), (1.0, [0, 1, 0]), (60.0, [0, 0, 1])],
    ids=["at once", "at the first bound", "between", "at the last bound", "beyond"],
)
def test_a_duration_counts_below_the_first_bound_that_it_keeps(seconds: float, counts: list[int]) -> None:
    durations = Durations((0.1, 1.0))

    durations.note(seconds)

    assert (durations.counts, durations.total) == (counts, seconds)


def test_durations_are_told_as_running_totals_up_to_infinity() -> None:
    durations = Durations((0.1, 1.0))
    for seconds in (0.05, 0.5, 0.6, 7):
        durations.note(seconds)

    assert durations.cumulative() == [("0.1", 1), ("1.0", 3), ("+Inf", 4)]
    assert durations.total == pytest.approx(8.15)


def test_requests_are_counted_apart_and_their_times_by_route() -> None:
    tally = Tally()

    tally.answered("GET", "/ready", 200, 0.001)
    tally.answered("GET", "/ready", 503, 0.002)
    tally.answered("GET", "/ready", 503, 0.002)

    assert tally.requests == {("GET", "/ready", 200): 1, ("GET", "/ready", 503): 2}
    assert sum(tally.answers["/ready"].counts) == 3


def test_registrations_that_share_a_trip_to_the_disk_count_each_and_take_the_time_once() -> None:
    tally = Tally()

    tally.registered("done", 32, 0.02)

    assert tally.writes["registrations", "done"] == 32
    assert sum(tally.writes.values()) == 32
    assert sum(tally.write_seconds.counts) == 1


def test_what_alerts_look_at_is_there_at_zero_from_the_start() -> None:
    tally = Tally()

    assert tally.checks == {"changed": 0, "unchanged": 0, "held": 0, "failed": 0}
    assert set(tally.checks) == {"changed", "unchanged", "held", "failed"}
    assert ("registrations", "failed") in tally.writes
