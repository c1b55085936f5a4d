from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import LAST, Clock, moment

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
MOMENTS = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


def test_the_clock_of_the_machine_is_utc() -> None:
    before = datetime.now(UTC)
    clock = Clock()

    assert clock.now() - before < timedelta(minutes=1)
    assert clock.now().tzinfo is UTC
    assert time.monotonic() <= clock.monotonic() <= time.monotonic()


@pytest.mark.parametrize(
    ("ahead", "stamp"),
    [
        pytest.param(0, "2026-11-23T12:00:00Z", id="now"),
        pytest.param(3600, "2026-11-23T13:00:00Z", id="in an hour"),
        pytest.param(-86400, "2026-11-22T12:00:00Z", id="a day ago"),
        pytest.param(0.9, "2026-11-23T12:00:01Z", id="part of a second"),
    ],
)
def test_a_stamp_has_whole_seconds(ahead: float, stamp: str) -> None:
    assert Clock(lambda: NOON).stamp(ahead) == stamp


@pytest.mark.parametrize("ahead", [-1, 0, 1, 3600, 10**9])
def test_near_the_end_of_the_year_9999_a_moment_ahead_is_its_last_second(ahead: float) -> None:
    clock = Clock(lambda: LAST)

    assert clock.stamp(ahead) == ("9999-12-31T23:59:58Z" if ahead < 0 else "9999-12-31T23:59:59Z")
    assert clock.exact_stamp() == "9999-12-31T23:59:59.000000Z"


BEYOND = [LAST.timestamp() + 1, 1e12, 1e30, float("inf")]


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_machine_beyond_the_year_9999_shows_its_last_second(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(time, "time", lambda: seconds)

    assert Clock().stamp() == "9999-12-31T23:59:59Z"


@pytest.mark.parametrize("seconds", BEYOND)
def test_a_moment_that_no_date_can_tell_is_the_last_one_that_a_date_can(seconds: float) -> None:
    assert moment(seconds) == LAST
    assert moment(1795428000.5).isoformat() == "2026-11-23T10:00:00.500000+00:00"


def test_an_exact_stamp_has_microseconds() -> None:
    assert Clock(lambda: NOON).exact_stamp() == "2026-11-23T12:00:00.123456Z"
    assert Clock(lambda: NOON.replace(microsecond=0)).exact_stamp() == "2026-11-23T12:00:00.000000Z"


def test_tells_how_long_ago_a_stamp_was() -> None:
    clock = Clock(lambda: NOON)

    assert clock.age("2026-11-23T11:59:00.123456Z") == 60
    assert clock.age("2026-11-23T12:00:01.123456Z") == -1


@given(MOMENTS, MOMENTS)
def test_exact_stamps_are_ordered_as_time_is(one: datetime, other: datetime) -> None:
    stamps = [Clock(lambda: one).exact_stamp(), Clock(lambda: other).exact_stamp()]

    assert (stamps[0] < stamps[1]) == (one < other)
    assert Clock(lambda: one).age(stamps[0]) == 0
