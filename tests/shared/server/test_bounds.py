from __future__ import annotations

import resource
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from shared.server.bounds import SPARE_FILES, Bounds, open_files
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.server.guard import GuardedProtocol


@dataclass
class Transport:
    """Remembers whether it was ended."""

    aborted: bool = False

    def abort(self) -> None:
        """Note it."""
        self.aborted = True


@dataclass
class Connection:
    """Stands for a protocol."""

    idle_since: float = 0.0
    idle: bool = True
    transport: Transport = field(default_factory=Transport)

    def is_idle(self) -> bool:
        """Tell what the test says."""
        return self.idle

    def __hash__(self) -> int:
        return id(self)


def ended(connections: list[Any]) -> list[int]:
    """Return the places of those that were ended."""
    return [number for number, one in enumerate(connections) if one.transport.aborted]


def test_there_are_no_more_connections_than_files_allow() -> None:
    assert Bounds(Settings(max_connections=10_000), 20_000).connections == 10_000
    assert Bounds(Settings(max_connections=10_000), 1024).connections == 1024 - SPARE_FILES
    assert Bounds(Settings(), 10).connections == 1


def test_things_are_looked_at_often_enough() -> None:
    assert Bounds(Settings(), 9999).tick == 2.5
    assert Bounds(Settings(receive_seconds=2, send_seconds=4), 9999).tick == 0.5


def test_room_is_made_by_those_that_are_idle_longest() -> None:
    bounds = Bounds(Settings(max_connections=40), 9999)
    connections = [Connection(float(number)) for number in range(40)]

    bounds.make_room(connections)
    assert ended(connections) == []

    connections.append(Connection(40.0))
    connections[0].idle = False
    bounds.make_room(connections)
    # One that is too many, and a twentieth of all, so that the next ones find room at once.
    assert ended(connections) == [1, 2, 3]


def test_where_nobody_is_idle_the_newcomer_goes() -> None:
    bounds = Bounds(Settings(max_connections=2), 9999)
    connections = [Connection(idle=False), Connection(idle=False), Connection(9.0)]

    bounds.make_room(connections)

    assert ended(connections) == [2]


def test_what_waits_for_slow_readers_is_bounded_in_all() -> None:
    bounds = Bounds(Settings(max_unread_bytes=100), 9999)
    slow = [Connection() for _ in range(4)]
    taken, last = cast("list[GuardedProtocol]", slow), cast("GuardedProtocol", slow[3])

    for one in taken[:3]:
        bounds.pauses(one, 30)
    bounds.reads_on(taken[0])
    bounds.pauses(last, 40)
    assert ended(slow) == []

    bounds.pauses(last, 80)
    assert ended(slow) == [1, 2]
    bounds.pauses(last, 101)
    assert ended(slow) == [1, 2, 3]


class Bytes(int):
    """A number of bytes that counts how often it is added to something."""

    added = 0

    def __radd__(self, other: int) -> int:
        Bytes.added += 1
        return int(self) + other


def test_a_reader_that_pauses_costs_the_same_however_many_others_do() -> None:
    bounds = Bounds(Settings(), 9999)

    for one in cast("list[GuardedProtocol]", [Connection() for _ in range(500)]):
        bounds.pauses(one, Bytes(1))

    assert Bytes.added <= 500


def test_the_process_may_open_as_many_files_as_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
        assert open_files() == before[1]
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
