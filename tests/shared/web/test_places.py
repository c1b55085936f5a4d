from __future__ import annotations

from typing import NoReturn

import pytest

from shared.problems import Overloaded
from shared.web.places import Admission, Pool, Room, admission_of
from tests.shared.asking import asking


def fill(pool: Pool, client: str) -> int:
    """Take places for *client* until it is refused; return how many it got."""
    before = pool.in_use

    def take_all() -> NoReturn:
        while True:
            pool.take(client)

    with pytest.raises(Overloaded) as refused:
        take_all()
    assert refused.value.headers == {"Retry-After": "1"}
    return pool.in_use - before


def test_a_client_has_at_most_as_many_as_stay_free_for_the_others() -> None:
    pool = Pool(500, "requests")

    assert [fill(pool, client) for client in ("anna", "bert", "cleo")] == [250, 125, 62]
    assert (fill(pool, "dora"), pool.in_use) == (31, 468)


def test_one_place_is_there_for_whoever_comes() -> None:
    pool = Pool(1, "requests")

    assert fill(pool, "anna") == 1
    with pytest.raises(Overloaded, match=r"^This hub takes 1 requests at a time, and has no room for more now\. Send"):
        pool.take("bert")


def test_what_one_client_has_may_be_bounded_further() -> None:
    pool = Pool(64, "sources", each=8)

    assert (fill(pool, "anna"), fill(pool, "bert")) == (8, 8)


def test_a_refusal_takes_nothing_and_says_whose_bound_it_is() -> None:
    pool = Pool(100, "bytes")
    pool.take("anna", 40)

    with pytest.raises(Overloaded, match=r"^This client has as many bytes under way as"):
        pool.take("anna", 11)
    with pytest.raises(Overloaded, match=r"^This hub takes 100 bytes at a time"):
        pool.take("bert", 61)
    assert pool.in_use == 40
    pool.take("anna", 10)


def test_keeps_nothing_of_clients_that_have_given_all_back() -> None:
    pool = Pool(1000, "requests")
    for number in range(100):
        pool.take(f"client-{number}", 2)
        pool.give_back(f"client-{number}", 1)
    assert len(pool._in_use) == pool.in_use == 100

    for number in range(100):
        pool.give_back(f"client-{number}", 1)

    assert (pool._in_use, pool.in_use) == ({}, 0)


def test_whoever_takes_nothing_is_never_refused_and_gives_nothing_back() -> None:
    pool = Pool(100, "bytes")
    pool.take("anna", 0)
    pool.take("anna", 50)
    pool.take("bert", 25)
    pool.take("anna", 0)
    pool.give_back("anna", 50)
    pool.give_back("anna", 0)
    pool.take("cleo", 0)

    assert (pool._in_use, pool.in_use) == ({"bert": 25}, 25)


def test_requests_without_a_body_give_their_places_back_side_by_side() -> None:
    room = Room(10, 100, "others")
    admissions = [Admission({}, room, room, lambda: "192.0.2.1") for _ in range(3)]
    for one, size in zip(admissions, (0, 10, 0), strict=True):
        one.receive(size)
        one.begin()

    for one in admissions:
        one.close()

    assert (room.bytes._in_use, room.places._in_use, room.places.in_use) == ({}, {}, 0)


def test_a_request_counts_for_its_token_once_that_was_found_good() -> None:
    writers, others = Room(1, 10, "writers"), Room(1, 10, "others")
    with_token = {"token_name": "anna"}
    Admission(with_token, writers, others, lambda: "192.0.2.1").receive(3)
    Admission({}, writers, others, lambda: "192.0.2.1").receive(4)

    assert (writers.bytes._in_use, others.bytes._in_use) == ({"anna": 3}, {"192.0.2.1": 4})


def test_what_came_in_parts_is_given_back_as_a_whole() -> None:
    room = Room(1, 100, "writers")
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
