from __future__ import annotations

from dataclasses import replace

from shared.model.registration import Registration
from shared.model.source import SourceView
from shared.sources.hosts import Hosts
from shared.sources.source import Source
from tests.builders import registration

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)


def source(url: str) -> Source:
    return Source(SourceView(replace(ROW, url=url)))


def test_the_sources_of_one_name_share_a_host() -> None:
    hosts = Hosts()
    urls = ["https://a.example/1", "http://A.EXAMPLE:8080/2", "https://b.example/1", "https://a.example./3"]
    one, same, other, dotted = followed = [source(url) for url in urls]

    for each in followed:
        each.host = hosts.enter(each)

    assert one.host is same.host is dotted.host
    assert other.host is not one.host
    assert one.host.sources == {one, same, dotted}


def test_a_host_is_forgotten_with_its_last_source_unless_it_asked_for_a_pause() -> None:
    hosts = Hosts()
    before = []
    for pauses in (False, True):
        left = source("https://a.example/1")
        left.host = hosts.enter(left)
        before.append(left.host)
        if pauses:
            hosts.cool(left, 60.0, 0.0)
        hosts.leave(left, left.registration.url)
    again = source("https://a.example/2")
    again.host = hosts.enter(again)

    assert before[0] is not before[1]
    assert again.host is before[1]
    assert again.host.sources == {again}


def test_hosts_that_nobody_is_read_from_are_forgotten_when_their_pause_ends() -> None:
    hosts = Hosts()
    for number in range(100):
        left = source(f"https://h{number}.example/1")
        left.host = hosts.enter(left)
        hosts.cool(left, number + 60.0, float(number))
        hosts.leave(left, left.registration.url)

    assert len(hosts._hosts) == 60


def test_few_pauses_are_remembered_of_hosts_that_nobody_is_read_from() -> None:
    hosts = Hosts(most_left=3)
    stays = source("https://h9.example/1")
    for number in (9, 1, 0, 2, 3, 4):
        left = source(f"https://h{number}.example/1")
        left.host = hosts.enter(left)
        hosts.cool(left, number + 60.0, 0.0)
        hosts.leave(left, left.registration.url)
    stays.host = hosts.enter(stays)

    assert hosts._hosts.keys() == {f"h{number}.example" for number in (9, 3, 4)}
    assert stays.host.cool_until == 69.0


def test_a_host_is_left_alone_once_for_each_wait() -> None:
    hosts = Hosts()
    one, other = source("https://a.example/1"), source("https://a.example/2")
    for each in (one, other):
        each.host = hosts.enter(each)

    first, during, after = (set(hosts.cool(one, *times)) for times in ((60.0, 0.0), (3600.0, 59.0), (90.0, 60.0)))

    assert (first, during, after) == ({one, other}, set(), {one, other})
    assert other.host.cool_until == 90.0


def test_a_host_is_told_by_the_name_in_the_url() -> None:
    one = source("https://A.example./1")

    assert [Hosts().is_of(one, name) for name in ("a.example", "b.example", None)] == [True, False, False]
