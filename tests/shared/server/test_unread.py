from __future__ import annotations

import pytest

from shared.server.unread import SLICE_BYTES, UnsentBodies

MEGABYTE = 2**20


class Reader:
    """Holds bodies, and lets them go when it is ended."""

    def __init__(self, unread: UnsentBodies) -> None:
        self.unread, self.held, self.updated = unread, 0, False

    def read(self, content: bytes) -> None:
        """Have *content* wait."""
        self.unread.hold(self, content)
        self.held += 1

    def abort(self) -> None:
        """Let go of all."""
        self.updated = True
        for _ in range(self.held):
            self.unread.release(self)
        self.held = 0


@pytest.fixture
def unread() -> UnsentBodies:
    """Room for three megabytes of bodies, and one of copies."""
    return UnsentBodies(4 * MEGABYTE, 10)


def own(number: int) -> bytes:
    """Return a megabyte and a little that nobody else keeps."""
    return bytes([number]) * (MEGABYTE + 1)


def readers(unread: UnsentBodies, count: int) -> list[Reader]:
    """Return readers, each with an answer of its own."""
    made = [Reader(unread) for _ in range(count)]
    for number, one in enumerate(made):
        one.read(own(number))
        unread.make_room()
    return made


def ended(made: list[Reader]) -> list[int]:
    """Return the places of those that were ended."""
    return [number for number, one in enumerate(made) if one.updated]


def test_a_body_that_the_hub_keeps_costs_nothing_however_many_read_it(unread: UnsentBodies) -> None:
    document, made = bytes(100 * MEGABYTE), [Reader(unread) for _ in range(50)]
    for one in made:
        one.read(document)
        unread.make_room()

    assert ended(made) == []
    assert unread._bytes == len(document)


def test_what_nobody_else_keeps_is_bounded_and_those_that_took_nothing_for_longest_end(unread: UnsentBodies) -> None:
    made = readers(unread, 2)
    unread.reads(made[0])
    made += readers(unread, 1)

    # Three megabytes fit, and each body is a little more than one.
    assert ended(made) == [1]
    assert unread._bytes == 2 * (MEGABYTE + 1)


def test_readers_of_what_the_hub_keeps_make_no_room(unread: UnsentBodies) -> None:
    document, first = bytes(2 * MEGABYTE), Reader(unread)
    first.read(document)

    assert ended([first, *readers(unread, 4)]) == [1, 2]


def test_a_document_that_is_replaced_while_it_is_read_is_read_to_its_end(unread: UnsentBodies) -> None:
    document, first, second = bytes(9 * MEGABYTE), Reader(unread), Reader(unread)
    for one in (first, second):
        one.read(document)
    del document
    unread.make_room()
    assert ended([first, second]) == []

    # Another of its kind takes its place.
    third = readers(unread, 1)[0]
    unread.make_room()
    assert ended([first, second, third]) == [0, 1]


def test_slices_shrink_so_that_all_that_is_copied_has_its_bound(unread: UnsentBodies) -> None:
    connections, copied = 10, 0
    assert unread.slice_bytes() == SLICE_BYTES
    for _ in range(8 + connections):
        copied += unread.slice_bytes()
        unread.copies(unread.slice_bytes())

    assert copied <= MEGABYTE
    assert unread.slice_bytes() == 4 * MEGABYTE // 8 // connections
    unread.copies(-copied)
    assert unread.slice_bytes() == SLICE_BYTES


def test_however_small_the_bound_an_answer_goes_on() -> None:
    assert UnsentBodies(1, 10_000).slice_bytes() == 1
