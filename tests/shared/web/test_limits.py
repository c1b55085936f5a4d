from __future__ import annotations

import contextlib
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

import pytest

from shared.problems import Overloaded, TooManyRequests
from shared.settings import Settings
from shared.web import limits as limits_module
from shared.web.limits import MOST_HOPS, VALIDATING, Clients, Limits
from shared.web.places import admission_of
from tests.shared.asking import asking

if TYPE_CHECKING:
    from tests.builders import Hands


@pytest.fixture
def limits(hands: Hands) -> Limits:
    """Limits of two a minute."""
    return Limits(Settings(wrong_tokens_per_minute=2, validations_per_minute=2), hands.clock())


def refused(limits: Limits, client: str) -> TooManyRequests:
    with pytest.raises(TooManyRequests) as raised:
        limits.count_validation(asking(client=client))
    return raised.value


def test_counts_a_minute_from_the_first_on(limits: Limits, hands: Hands) -> None:
    limits.count_validation(asking(client="192.0.2.1"))
    hands.advance(40)
    limits.count_validation(asking(client="192.0.2.1"))

    problem = refused(limits, "192.0.2.1")
    assert problem.headers == {"Retry-After": "20"}
    assert problem.detail == "This hub takes 2 validations for one address a minute. Ask again in 20 s."

    hands.advance(19.9)
    assert refused(limits, "192.0.2.1").headers == {"Retry-After": "1"}
    hands.advance(0.1)
    limits.count_validation(asking(client="192.0.2.1"))


def test_one_client_does_not_spend_what_another_has(limits: Limits) -> None:
    for _ in range(2):
        limits.count_validation(asking(client="192.0.2.1"))

    limits.count_validation(asking(client="192.0.2.2"))
    limits.count_wrong_token(asking(client="192.0.2.1"))
    refused(limits, "192.0.2.1")


def test_a_clock_that_is_set_changes_nothing(limits: Limits, hands: Hands) -> None:
    for _ in range(2):
        limits.count_validation(asking(client="192.0.2.1"))

    hands.jump(-86400)
    refused(limits, "192.0.2.1")
    hands.jump(2 * 86400)
    refused(limits, "192.0.2.1")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        pytest.param("192.0.2.1", [], "192.0.2.1", id="a peer"),
        pytest.param("192.0.2.1", ["198.51.100.9"], "192.0.2.1", id="a peer that claims to be a proxy"),
        pytest.param("10.0.0.1", [], "10.0.0.1", id="the proxy itself"),
        pytest.param("10.0.0.1", ["198.51.100.9"], "198.51.100.9", id="behind the proxy"),
        pytest.param("10.0.0.1", ["203.0.113.5, 198.51.100.9"], "198.51.100.9", id="a client that claims to be one"),
        pytest.param("10.0.0.1", ["203.0.113.5", "198.51.100.9, 10.9.9.9"], "198.51.100.9", id="two proxies"),
        pytest.param("10.0.0.1", ["unknown"], "10.0.0.1", id="no address"),
        pytest.param("10.0.0.1", ["203.0.113.5, \xff, 10.0.0.2"], "10.0.0.2", id="odd bytes"),
        pytest.param("::ffff:192.0.2.1", [], "192.0.2.1", id="IPv4 as IPv6"),
        pytest.param("2001:db8:1:2:aaaa::1", [], "2001:db8:1:2::/64", id="one host of a site"),
        pytest.param("fd00::1", ["2001:db8:1:2:bbbb::2"], "2001:db8:1:2::/64", id="another behind a proxy"),
        pytest.param("", [], "unknown", id="a socket without addresses"),
    ],
)
def test_believes_only_the_proxies_that_the_operator_named(peer: str, forwarded: list[str], client: str) -> None:
    clients = Clients(["10.0.0.0/8", "fd00::/8"])
    headers = [("x-forwarded-for", line) for line in forwarded]

    assert clients.of(asking(*headers, client=peer)) == client


def test_believes_nobody_unless_told_so() -> None:
    assert Clients(()).of(asking(("x-forwarded-for", "198.51.100.9"), client="127.0.0.1")) == "127.0.0.1"


def test_what_a_request_took_is_given_back_whatever_became_of_it(hands: Hands) -> None:
    limits = Limits(Settings(max_requests=1), hands.clock())

    def fail() -> None:
        with limits.admission(asking(client="192.0.2.1")) as admission:
            admission.receive(1000)
            admission.begin()
            assert (limits.others.bytes.in_use, limits.others.places.in_use) == (1000, 1)
            with limits.admission(asking(client="192.0.2.2")) as other, pytest.raises(Overloaded):
                other.begin()
            raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fail()
        assert (limits.others.bytes.in_use, limits.others.places.in_use) == (0, 0)


def test_what_a_request_takes_stands_in_its_scope_for_as_long_as_that(hands: Hands) -> None:
    request = asking(client="192.0.2.1")

    with Limits(Settings(), hands.clock()).admission(request) as admission:
        assert admission_of(request) is admission

    assert "admission" not in request.scope


def test_writers_and_others_take_nothing_from_each_other(hands: Hands) -> None:
    limits = Limits(Settings(max_requests=1, max_bodies_bytes=4 * 2**20), hands.clock())
    writing = asking(client="192.0.2.1")
    writing.scope["token_name"] = "anna"

    with limits.admission(asking(client="192.0.2.1")) as stranger, limits.admission(writing) as writer:
        for one in (stranger, writer):
            one.receive(2**20)
            one.begin()
        assert limits.writers.bytes.in_use == limits.others.bytes.in_use == 2**20
        for one in (stranger, writer):
            with pytest.raises(Overloaded):
                one.receive(1)


def test_documents_that_wait_for_their_validation_are_bounded(hands: Hands) -> None:
    limits = Limits(Settings(), hands.clock())

    with contextlib.ExitStack() as stack:
        for _ in range(VALIDATING // 2):
            stack.enter_context(limits.validation(asking(client="192.0.2.1")))
        with pytest.raises(Overloaded, match="lets one client hold"), limits.validation(asking(client="192.0.2.1")):
            raise AssertionError
        with limits.validation(asking(client="192.0.2.2")):
            pass
    with limits.validation(asking(client="192.0.2.1")):
        pass


def test_thousands_of_proxies_are_not_followed_back() -> None:
    clients = Clients(["10.0.0.0/8"])
    looked: list[str] = []

    def address(text: str) -> IPv4Address | IPv6Address:
        looked.append(text)
        return ip_address(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits_module, "ip_address", address)
        client = clients.of(asking(("x-forwarded-for", "192.0.2.7" + ", 10.0.0.1" * 4000), client="10.0.0.2"))

    assert (client, len(looked)) == ("10.0.0.1", MOST_HOPS + 1)


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("10.1.2.3", ("10.1.2.3", True)),
        ("::ffff:10.1.2.3", ("10.1.2.3", True)),
        ("192.0.2.1", ("192.0.2.1", False)),
        ("2001:db8::7", ("2001:db8::/64", False)),
        ("", ("unknown", False)),
    ],
)
def test_a_peer_is_a_client_or_a_proxy_that_was_named(host: str, peer: tuple[str, bool]) -> None:
    assert Clients(["10.0.0.0/8"]).peer(host) == peer
