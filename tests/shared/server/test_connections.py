from __future__ import annotations

import pytest

from shared.server.connections import Connections


class Connection:
    """Remembers whether it was ended, and whether it is worked for."""

    def __init__(self) -> None:
        self.updated = self.works = False
        self.questions = 0

    def abort(self) -> None:
        """Note it."""
        self.updated = True

    def is_worked_for(self) -> bool:
        """Tell, and count how often that was asked."""
        self.questions += 1
        return self.works


def arrived(connections: Connections, count: int, address: str = "192.0.2.1") -> list[Connection]:
    """Return so many new connections from *address*."""
    made = [Connection() for _ in range(count)]
    for one in made:
        connections.arrived(one, address)
    return made


def ended(made: list[Connection]) -> list[int]:
    """Return the places of those that were ended."""
    return [number for number, one in enumerate(made) if one.updated]


@pytest.fixture
def connections() -> Connections:
    """Ten places, five for each address but those of 10.0.0.0/8."""
    return Connections(10, ["10.0.0.0/8"])


def test_the_one_that_waits_longest_ends_and_those_that_are_worked_for_stay(connections: Connections) -> None:
    made = arrived(connections, 10, "10.1.1.1")
    for one in made[:3]:
        one.works = True
    connections.waits(made[3])
    made[1].works = False
    connections.waits(made[1])
    assert ended(made) == []

    made += arrived(connections, 3, "10.1.1.1")
    assert ended(made) == [4, 5, 6]
    made += arrived(connections, 4, "10.1.1.1")
    assert ended(made) == [3, 4, 5, 6, 7, 8, 9]
    made += arrived(connections, 1, "10.1.1.1")
    assert ended(made) == [1, 3, 4, 5, 6, 7, 8, 9]


def test_those_that_are_closing_end_first(connections: Connections) -> None:
    made = arrived(connections, 10, "10.1.1.1")
    connections.closes(made[8])

    made += arrived(connections, 2, "10.1.1.1")

    assert ended(made) == [0, 8]


def test_where_all_are_worked_for_the_newcomer_goes(connections: Connections) -> None:
    made = arrived(connections, 10, "10.1.1.1")
    for one in made:
        one.works = True

    made += arrived(connections, 1, "10.1.1.1")

    assert ended(made) == [10]
    assert len(connections) == 10


def test_one_that_was_worked_for_when_room_was_made_ends_later_when_it_waits_again(connections: Connections) -> None:
    made = arrived(connections, 10, "10.1.1.1")
    made[0].works = True
    made += arrived(connections, 1, "10.1.1.1")
    assert ended(made) == [1]
    made[0].works = False
    connections.waits(made[0])

    made += arrived(connections, 9, "10.1.1.1")
    assert ended(made) == list(range(1, 11))
    made += arrived(connections, 1, "10.1.1.1")
    assert ended(made) == list(range(11))


def test_each_is_asked_once_for_each_time_that_it_waits_however_often_room_is_made(connections: Connections) -> None:
    made = arrived(connections, 10, "10.1.1.1")
    for one in made[:9]:
        one.works = True

    made += arrived(connections, 20, "10.1.1.1")

    assert [one.questions for one in made[:9]] == [1] * 9
    assert ended(made) == list(range(9, 29))


@pytest.mark.parametrize(
    ("one", "other"),
    [("192.0.2.1", "192.0.2.2"), ("::ffff:192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1"), ("", "::1")],
    ids=["IPv4", "mapped", "IPv6", "unknown"],
)
def test_an_address_has_half_of_the_places_and_beyond_that_ends_its_own(
    connections: Connections, one: str, other: str
) -> None:
    others = arrived(connections, 3, other)
    made = arrived(connections, 5, one)
    assert ended(made) == []
    made[0].works = True

    made += arrived(connections, 20, one)

    assert ended(made) == [*range(1, 21)]
    assert ended(others) == []
    assert len(connections) == 8


def test_addresses_of_one_site_share_their_places(connections: Connections) -> None:
    made = [one for number in range(8) for one in arrived(connections, 1, f"2001:db8::{number}")]

    assert ended(made) == [0, 1, 2]


def test_a_proxy_that_was_named_may_have_all_places(connections: Connections) -> None:
    assert ended(arrived(connections, 10, "10.1.1.1")) == []
    assert ended(arrived(connections, 11, "::ffff:10.1.1.2")) == [0]


def test_nothing_is_kept_of_those_that_left(connections: Connections) -> None:
    made = arrived(connections, 10, "10.1.1.1")
    for one in made * 2:
        connections.left(one)
        connections.waits(one)
        connections.closes(one)

    assert len(connections) == 0
    assert (connections._clients, connections._places) == ({}, {})
    assert not connections._all.waiting
    assert not connections._all.closing
