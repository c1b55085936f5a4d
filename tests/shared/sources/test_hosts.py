from __future__ import annotations

from dataclasses import replace

from shared.registration import Registration
from shared.sources.hosts import Hosts
from shared.sources.source import Source
from tests.builders import registration

ROW = Registration(**registration(), registered_at="", updated_at="", registered_by="operator", revision=1)


def source(url: str) -> Source:
    return Source(replace(ROW, url=url))


def test_the_sources_of_one_name_share_a_host() -> None:
    hosts = Hosts()
    urls = ["https://a.example/1", "http://A.EXAMPLE:8080/2", "https://b.example/1", "https://a.example./3"]
    one, same, other, dotted = followed = [source(url) for url in urls]

    for each in followed:
        hosts.enter(each)

    assert one.host is same.host is dotted.host
    assert other.host is not one.host
    assert one.host.sources == {one, same, dotted}


def test_a_host_is_forgotten_with_its_last_source_unless_it_wants_peace() -> None:
    hosts = Hosts()
    before = []
    for wants_peace in (False, True):
        left = source("https://a.example/1")
        hosts.enter(left)
        before.append(left.host)
        if wants_peace:
            hosts.cool("a.example", 60.0)
        hosts.leave(left, left.registration.url)
    again = source("https://a.example/2")
    hosts.enter(again)

    assert before[0] is not before[1]
    assert again.host is before[1]
    assert again.host.sources == {again}


def test_peace_is_never_cut_short_and_told_to_all_sources_of_the_host() -> None:
    hosts = Hosts()
    one = source("https://a.example/1")
    hosts.enter(one)

    assert [list(hosts.cool("a.example", until)) for until in (60.0, 30.0, 90.0)] == [[one], [], [one]]
    assert one.host.cool_until == 90.0


def test_a_host_may_want_peace_before_a_source_is_read_from_it() -> None:
    hosts = Hosts()
    hosts.cool("b.example", 60.0)
    one = source("https://b.example/1")

    hosts.enter(one)

    assert one.host.cool_until == 60.0
