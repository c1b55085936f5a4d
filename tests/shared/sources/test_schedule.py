from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.registration import Registration
from shared.sources.hosts import Host
from shared.sources.schedule import MOST_SPREAD, PER_HOST, Schedule, interval, longest
from shared.sources.source import Source
from tests.builders import Hands, registration

if TYPE_CHECKING:
    from shared.clock import Clock


def sources(clock: Clock, number: int, *hosts: Host) -> dict[str, Source]:
    """Return so many sources that are due, over these hosts in turn; each of its own host when there are none."""
    made = {}
    for n in range(number):
        row = Registration(
            **registration(repo=f"r{n}"), registered_at="", updated_at="", registered_by="operator", revision=1
        )
        made[row.repo] = Source(row, due=clock.monotonic() - n, host=hosts[n % len(hosts)] if hosts else Host())
    return made


@pytest.mark.parametrize(
    ("ttl", "failures", "least", "most"),
    [
        pytest.param(3600, 0, 3240, 3960, id="an hour"),
        pytest.param(0, 0, 30, 33, id="never more often than every 30 s"),
        pytest.param(3600, 1, 30, 33, id="the first failure"),
        pytest.param(3600, 3, 108, 132, id="the third doubles twice"),
        pytest.param(60, 40, 3240, 3960, id="at most an hour"),
        pytest.param(86400, 40, 77760, 95040, id="or the time to live"),
    ],
)
def test_the_interval_backs_off_within_its_jitter(ttl: int, failures: int, least: float, most: float) -> None:
    drawn = [interval(ttl, failures) for _ in range(50)]

    assert least <= min(drawn)
    assert max(drawn) <= most
    assert len(set(drawn)) > 1


@pytest.mark.parametrize(("ttl", "most"), [(60, 3960), (86400, 95040)])
def test_no_interval_is_longer_than_the_longest(ttl: int, most: float) -> None:
    assert longest(ttl) == pytest.approx(most)
    assert max(interval(ttl, 40) for _ in range(50)) <= longest(ttl)


def test_what_is_due_is_due_whatever_the_wall_clock_says() -> None:
    hands = Hands()
    schedule = Schedule(sources(hands.clock(), 2), hands.clock())

    hands.jump(-365 * 86400)

    assert schedule.due() == ["r0", "r1"]


def test_a_host_that_wants_peace_gets_it_until_then() -> None:
    hands = Hands()
    busy = Host()
    schedule = Schedule(sources(hands.clock(), 4, busy, Host()), hands.clock())
    busy.cool_until = hands.clock().monotonic() + 60

    others = schedule.due(), schedule.forced(), sorted(schedule.startable(9))
    hands.advance(60)

    assert others == (["r1", "r3"], ["r1", "r3"], ["r1", "r3"])
    assert (len(schedule.due()), len(schedule.forced())) == (4, 4)


def test_the_longest_overdue_start_first_and_few_of_one_host() -> None:
    clock = Hands().clock()
    crowd = Schedule(sources(clock, 2 * PER_HOST, Host()), clock)
    many = Schedule(sources(clock, 9), clock)

    assert crowd.startable(99) == [f"r{n}" for n in range(2 * PER_HOST - 1, PER_HOST - 1, -1)]
    assert many.startable(3) == ["r8", "r7", "r6"]
    assert many.startable(0) == []


def test_the_lag_is_that_of_the_longest_overdue() -> None:
    hands = Hands()
    schedule = Schedule(sources(hands.clock(), 3), hands.clock())
    hands.advance(7)

    assert schedule.lag() == 9.0
    assert Schedule({}, hands.clock()).lag() == 0.0


def test_a_host_with_checks_under_way_gets_fewer() -> None:
    clock, host = Hands().clock(), Host()
    schedule = Schedule(sources(clock, 2 * PER_HOST, host), clock)
    host.busy = PER_HOST - 1

    assert len(schedule.startable(99)) == 1


def test_many_that_are_overdue_do_not_begin_at_once() -> None:
    hands = Hands()
    followed = sources(hands.clock(), 200)
    schedule = Schedule(followed, hands.clock())

    schedule.spread()
    at_once = len(schedule.startable(200))
    hands.advance(5)
    half = len(schedule.startable(200))
    hands.advance(5)

    assert at_once < 5
    assert 60 < half < 140
    assert len(schedule.startable(200)) == 200
    dates = {source.status.next_check_at for source in followed.values()}
    assert len(dates) > 5
    assert max(map(str, dates)) <= "2026-11-23T10:00:10Z"


def test_one_that_is_overdue_begins_at_once_and_a_crowd_within_minutes() -> None:
    clock = Hands().clock()
    one, crowd = sources(clock, 1), sources(clock, 10_000)

    Schedule(one, clock).spread()
    Schedule(crowd, clock).spread()

    assert one["r0"].spread_to == clock.monotonic()
    assert max(source.spread_to for source in crowd.values()) <= clock.monotonic() + MOST_SPREAD


@pytest.mark.parametrize("seconds", [3600, -3600, 86400 * 365])
def test_dates_follow_a_wall_clock_that_is_set(seconds: float) -> None:
    hands = Hands()
    followed = sources(hands.clock(), 1)
    schedule = Schedule(followed, hands.clock())
    hands.advance(7)

    quiet = schedule.follow_wall()
    hands.jump(seconds)

    assert (quiet, schedule.follow_wall(), schedule.follow_wall()) == (False, True, False)
    assert followed["r0"].status.next_check_at == hands.clock().stamp(-7)
