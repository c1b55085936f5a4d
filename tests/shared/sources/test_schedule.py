from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.sources.hosts import AT_A_TIME, Host, Hosts
from shared.sources.schedule import MOST_SPREAD, Schedule, interval, longest
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
        host = hosts[n % len(hosts)] if hosts else Host()
        made[row.repo] = Source(SourceView(row), due=clock.monotonic() - n, host=host)
    return made


def scheduled(followed: dict[str, Source], clock: Clock) -> tuple[Schedule, Hosts]:
    """Return the schedule of these sources, and the hosts that count their checks."""
    hosts = Hosts()
    return Schedule(followed.values, hosts, clock), hosts


def begun(schedule: Schedule, hosts: Hosts, followed: dict[str, Source], places: int = 9999) -> list[str]:
    """Begin at most so many checks, one after the other as the refresher does, and return their repos."""
    repos: list[str] = []
    while len(repos) < places and (repo := schedule.following()) is not None:
        hosts.begin(followed[repo].share)
        repos.append(repo)
    return repos


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
    schedule, _ = scheduled(sources(hands.clock(), 2), hands.clock())

    hands.jump(-365 * 86400)

    assert schedule.due() == ["r0", "r1"]


def test_a_host_that_cools_down_is_left_alone_until_then() -> None:
    hands = Hands()
    busy = Host()
    followed = sources(hands.clock(), 4, busy, Host())
    schedule, hosts = scheduled(followed, hands.clock())
    busy.cool_until = hands.clock().monotonic() + 60

    schedule.look(1)
    others = schedule.due(), schedule.forced(), sorted(begun(schedule, hosts, followed))
    hands.advance(59.5)
    schedule.look(1)
    early = begun(schedule, hosts, {repo: followed[repo] for repo in ("r0", "r2")}, 0), schedule.pause(1)
    hands.advance(0.5)

    assert others == (["r1", "r3"], ["r1", "r3"], ["r1", "r3"])
    assert early == ([], 0.5)
    assert (len(schedule.due()), len(schedule.forced())) == (4, 4)


def test_the_longest_overdue_start_first_and_few_of_one_host() -> None:
    clock = Hands().clock()
    crowd, many = sources(clock, 2 * AT_A_TIME, Host()), sources(clock, 9)
    first, second = scheduled(crowd, clock), scheduled(many, clock)
    first[0].look(1)
    second[0].look(1)

    assert begun(*first, crowd) == [f"r{n}" for n in range(2 * AT_A_TIME - 1, AT_A_TIME - 1, -1)]
    assert begun(*second, many, 3) == ["r8", "r7", "r6"]
    assert begun(*second, many, 0) == []


def test_each_check_that_ends_lets_the_next_of_its_host_begin_without_another_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, host = Hands().clock(), Host()
    followed = sources(clock, 1000, host)
    schedule, hosts = scheduled(followed, clock)
    schedule.look(1)
    order = begun(schedule, hosts, followed)
    # From here on a walk over all sources would find none.
    monkeypatch.setattr(schedule, "_all", list)

    for _ in range(1000 - AT_A_TIME):
        hosts.end(host.share("operator"))
        order += begun(schedule, hosts, followed)

    assert order == [f"r{n}" for n in reversed(range(1000))]
    assert (host.busy, schedule.following()) == (AT_A_TIME, None)


def test_what_becomes_due_between_two_looks_begins_then() -> None:
    hands = Hands()
    followed = sources(hands.clock(), 3)
    schedule, hosts = scheduled(followed, hands.clock())
    for repo, seconds in (("r0", 0.7), ("r1", 0.2), ("r2", 1.5)):
        followed[repo].due = hands.clock().monotonic() + seconds

    schedule.look(1)
    pauses = [schedule.pause(1)]
    hands.advance(0.25)
    began = [begun(schedule, hosts, followed)]
    pauses.append(schedule.pause(1))
    hands.advance(0.5)
    began.append(begun(schedule, hosts, followed))
    pauses.append(schedule.pause(1))
    hands.advance(1)

    assert began == [["r1"], ["r0"]]
    assert pauses == pytest.approx([0.2, 0.45, 1])
    assert schedule.following() is None
    followed["r0"].due = followed["r1"].due = hands.clock().monotonic() + 30
    schedule.look(1)
    assert schedule.following() == "r2"


def test_one_that_is_called_begins_before_the_next_look_if_it_is_due() -> None:
    clock = Hands().clock()
    followed = sources(clock, 4)
    schedule, hosts = scheduled(followed, clock)
    followed["r1"].due = clock.monotonic() + 5
    for repo in ("r0", "r1", "r2"):
        schedule.call(followed[repo])
    schedule.drop(followed["r2"])

    assert begun(schedule, hosts, followed) == ["r0"]
    assert hosts.wake.is_set()


@pytest.mark.parametrize("change", ["followed", "due", "spread_to"])
def test_one_that_changed_since_the_look_does_not_begin(change: str) -> None:
    clock = Hands().clock()
    followed = sources(clock, 1)
    schedule, _ = scheduled(followed, clock)
    schedule.look(1)

    setattr(followed["r0"], change, 0 if change == "followed" else clock.monotonic() + 5)

    assert schedule.following() is None


def test_it_is_idle_when_no_check_is_under_way_and_none_is_due() -> None:
    clock = Hands().clock()
    followed = sources(clock, 2)
    schedule, hosts = scheduled(followed, clock)
    schedule.look(1)
    idle = [hosts.idle.is_set()]

    begun(schedule, hosts, followed)
    idle.append(hosts.idle.is_set())
    for source in followed.values():
        hosts.end(source.share)
    idle.append(hosts.idle.is_set())
    schedule.following()
    idle.append(hosts.idle.is_set())
    schedule.call(followed["r0"])

    assert [*idle, hosts.idle.is_set()] == [False, False, False, True, False]


def test_a_host_with_checks_under_way_gets_fewer() -> None:
    clock, host = Hands().clock(), Host()
    followed = sources(clock, 2 * AT_A_TIME, host)
    schedule, hosts = scheduled(followed, clock)
    host.share("operator").busy = AT_A_TIME - 1
    schedule.look(1)

    assert len(begun(schedule, hosts, followed)) == 1


def test_many_that_are_overdue_do_not_begin_at_once() -> None:
    hands = Hands()
    followed = sources(hands.clock(), 200)
    schedule, hosts = scheduled(followed, hands.clock())

    for source, at in schedule.spread():
        source.spread_to = at
    schedule.look(1)
    at_once = len(begun(schedule, hosts, followed))
    hands.advance(5)
    schedule.look(1)
    half = at_once + len(begun(schedule, hosts, followed))
    hands.advance(5)
    schedule.look(1)
    begun(schedule, hosts, followed)

    assert at_once < 5
    assert 60 < half < 140
    assert {source.host.busy >= 1 for source in followed.values()} == {True}


def test_one_that_is_overdue_begins_at_once_and_a_crowd_within_minutes() -> None:
    clock = Hands().clock()
    one, crowd = sources(clock, 1), sources(clock, 10_000)
    one["r0"].due = clock.monotonic()

    starts = dict(scheduled(crowd, clock)[0].spread())

    assert scheduled(one, clock)[0].spread() == [(one["r0"], clock.monotonic())]
    assert starts.keys() == set(crowd.values())
    assert max(starts.values()) <= clock.monotonic() + MOST_SPREAD
    # Nothing is changed by working it out.
    assert {source.spread_to for source in crowd.values()} == {0.0}


def test_the_lag_is_how_long_the_source_that_waits_longest_is_due() -> None:
    clock, cooling = Hands().clock(), Host()
    followed = sources(clock, 3, Host(), Host(), cooling)
    schedule, _ = scheduled(followed, clock)

    of_all = schedule.lag()
    cooling.cool_until = clock.monotonic() + 60

    assert (of_all, schedule.lag(), scheduled({}, clock)[0].lag()) == (2.0, 1.0, 0.0)


@pytest.mark.parametrize("seconds", [3600, -3600, 86400 * 365])
def test_a_wall_clock_that_is_set_is_noticed_once(seconds: float) -> None:
    hands = Hands()
    schedule, _ = scheduled({}, hands.clock())
    hands.advance(7)

    quiet = schedule.wall_was_set()
    hands.jump(seconds)

    assert (quiet, schedule.wall_was_set(), schedule.wall_was_set()) == (False, True, False)
