from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.formats.capability_index import read_index
from shared.problems import HubFull
from shared.sources.room import ContentRoom, size_of
from tests.builders import capability, index

if TYPE_CHECKING:
    from shared.model.content import Content


def content(number: int, summary: str = "") -> Content:
    return read_index(index(*(capability(n, summary=summary) for n in range(number))), "a")


SMALL, LARGE = content(2), content(3)


def test_counts_entries_and_their_bytes() -> None:
    assert size_of(None) == (0, 0)
    assert size_of(SMALL) == (2, sum(len(entry.json) for entry in SMALL.entries))


def test_admits_what_fits_and_refuses_what_would_pass_the_bound() -> None:
    room = ContentRoom(5, 1)
    room.take(SMALL)

    room.require((), LARGE)
    with pytest.raises(HubFull, match=r"would hold 6 capabilities; it keeps at most 5 over all sources\."):
        room.require((), content(4))


def test_what_takes_the_place_of_other_content_needs_only_the_difference() -> None:
    room = ContentRoom(3, 1)
    room.take(SMALL)

    room.require((SMALL,), LARGE)
    room.leave(SMALL)
    room.require((), LARGE)


def test_bytes_are_bounded_too() -> None:
    room = ContentRoom(10_000, 1)

    room.require((), content(900, "x" * 900))
    with pytest.raises(HubFull, match=r"bytes; it keeps at most 1,048,576"):
        room.require((), content(1100, "x" * 900))


def test_a_hub_beyond_its_bounds_still_takes_what_is_no_larger() -> None:
    room = ContentRoom(1, 1)
    room.take(LARGE)

    room.require((LARGE,), SMALL)
    room.require((LARGE,), content(3))
    with pytest.raises(HubFull):
        room.require((LARGE,), content(4))


def test_all_that_leaves_makes_room() -> None:
    room = ContentRoom(5, 1)
    room.take(SMALL)
    room.take(LARGE)

    room.require((SMALL, LARGE, None), content(5))
    with pytest.raises(HubFull):
        room.require((SMALL, None), LARGE)


def test_a_start_lets_in_what_fits_and_counts_nothing_of_what_does_not() -> None:
    room = ContentRoom(5, 1)
    room.admit(LARGE)

    with pytest.raises(HubFull, match=r"would hold 6 capabilities; it keeps at most 5 over all sources\."):
        room.admit(LARGE)
    assert room.used == size_of(LARGE)
    room.admit(SMALL)


def test_a_start_lets_in_an_eighth_more_bytes_which_a_newer_version_may_need() -> None:
    room, large = ContentRoom(10_000, 1), content(550, "x" * 900)
    one = size_of(large).bytes
    assert 2**20 < 2 * one < 2**20 * 9 // 8

    room.admit(large)
    with pytest.raises(HubFull):
        room.require((), large)
    room.admit(large)
    with pytest.raises(HubFull, match=r"bytes; it keeps at most 1,048,576"):
        room.admit(content(200, "x" * 900))
