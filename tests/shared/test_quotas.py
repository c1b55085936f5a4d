from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

import pytest

from shared.model.author import Author, Grant
from shared.problems import Overloaded, TooManyRequests
from shared.quotas import CLIENTS, TRIALS, TRIALS_EACH, PerMinute, Pool, Quotas
from shared.settings import Settings

if TYPE_CHECKING:
    from tests.builders import Hands


@pytest.fixture
def quotas(hands: Hands) -> Quotas:
    """Quotas of two a minute."""
    return Quotas(Settings(refreshes_per_minute=2, writes_per_minute=2), hands.clock())


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

    with pytest.raises(Overloaded, match=r"^This client holds as many bytes as"):
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


def test_a_unit_that_is_taken_for_a_block_is_given_back_whatever_becomes_of_it() -> None:
    pool = Pool(10, "sources")

    def fail() -> None:
        with pool.taken("anna"):
            assert pool.in_use == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert pool.in_use == 0


def test_what_is_counted_is_bounded(hands: Hands) -> None:
    counter = PerMinute(2, hands.clock(), "writes of one token")
    for number in range(CLIENTS + 10):
        counter.count(f"token-{number}")

    assert len(counter._windows) == CLIENTS


def test_writes_are_counted_for_each_token_and_those_of_admins_are_not(quotas: Quotas, hands: Hands) -> None:
    narrow, other, admin = Author("ci", grant=Grant()), Author("other", grant=Grant()), Author("anna")
    for _ in range(2):
        quotas.count_write(narrow)

    with pytest.raises(TooManyRequests, match="takes 2 writes of one token a minute") as refusal:
        quotas.count_write(narrow)
    assert refusal.value.headers == {"Retry-After": "60"}
    quotas.count_write(other)
    for _ in range(10_000):
        quotas.count_write(admin)
    hands.advance(60)
    quotas.count_write(narrow)


def test_fetches_are_counted_for_each_token_and_those_of_admins_too(quotas: Quotas, hands: Hands) -> None:
    for _ in range(2):
        quotas.count_refresh(Author("anna"))

    quotas.count_refresh(Author("bert"))
    with pytest.raises(TooManyRequests, match="takes 2 fetches for one token a minute"):
        quotas.count_refresh(Author("anna"))
    hands.advance(60)
    quotas.count_refresh(Author("anna"))


@pytest.mark.parametrize("settings", [{"refreshes_per_minute": 600}, {}], ids=["as promised", "by default"])
def test_an_honest_client_is_not_hindered(hands: Hands, settings: dict[str, int]) -> None:
    quotas = Quotas(Settings(**settings), hands.clock())  # type: ignore[arg-type]

    for _ in range(600):
        quotas.count_refresh(Author("anna"))


def test_sources_that_are_tried_out_are_bounded_for_each_token_and_in_all(hands: Hands) -> None:
    quotas = Quotas(Settings(), hands.clock())

    with contextlib.ExitStack() as stack:
        for token in range(TRIALS // TRIALS_EACH - 1):
            for _ in range(TRIALS_EACH):
                stack.enter_context(quotas.trial(Author(f"token-{token}")))
            with pytest.raises(Overloaded, match="lets one client hold"), quotas.trial(Author(f"token-{token}")):
                raise AssertionError
        with quotas.trial(Author("another")):
            pass
