from __future__ import annotations

from shared.web.places import Admission, BodyRoom, admission_of
from tests.shared.asking import asking


def test_requests_without_a_body_give_their_places_back_side_by_side() -> None:
    room = BodyRoom(10, 100, "others")
    admissions = [Admission({}, room, room, lambda: "192.0.2.1") for _ in range(3)]
    for one, size in zip(admissions, (0, 10, 0), strict=True):
        one.receive(size)
        one.begin()

    for one in admissions:
        one.close()

    assert (room.bytes._in_use, room.places._in_use, room.places.in_use) == ({}, {}, 0)


def test_a_request_counts_for_its_token_once_that_was_found_good() -> None:
    writers, others = BodyRoom(1, 10, "writers"), BodyRoom(1, 10, "others")
    with_token = {"token_name": "anna"}
    Admission(with_token, writers, others, lambda: "192.0.2.1").receive(3)
    Admission({}, writers, others, lambda: "192.0.2.1").receive(4)

    assert (writers.bytes._in_use, others.bytes._in_use) == ({"anna": 3}, {"192.0.2.1": 4})


def test_what_came_in_parts_is_given_back_as_a_whole() -> None:
    room = BodyRoom(1, 100, "writers")
    admission = Admission({}, room, room, lambda: "192.0.2.1")
    for _ in range(5):
        admission.receive(10)
    admission.begin()

    admission.close()
    admission.close()

    assert (room.bytes.in_use, room.places.in_use) == (0, 0)


def test_a_request_brings_its_own() -> None:
    request = asking()

    assert admission_of(request) is request.scope["admission"]
