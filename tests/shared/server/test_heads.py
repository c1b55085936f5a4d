from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.problems import MalformedRequest, MethodNotAllowed
from shared.server import heads
from tests.shared.server.guarded import CLOSING, GET

if TYPE_CHECKING:
    from tests.shared.server.guarded import Served

HOST = (b"host", b"hub.example")


@pytest.mark.parametrize(
    "host", [b"hub", b"hub.example:80", b"hub_1:", b"127.0.0.1:8080", b"[::1]", b"[2001:db8::1]:80", b"h%C3%BCb", b""]
)
def test_a_host_is_a_name_or_an_address(host: bytes) -> None:
    heads.check(b"GET", "1.1", [(b"host", host)])


@pytest.mark.parametrize("host", [b"a b", b"a/b", b"a@b", b"a,b", b"http://a", b"a:b", b"::1", b"a?b", b"h\xc3\xbcb"])
def test_what_is_no_host_is_refused(host: bytes) -> None:
    if host == b"a,b":
        # RFC 3986 §3.2.2 lets a name have a comma, odd as it is.
        heads.check(b"GET", "1.0", [(b"host", host)])
        return
    with pytest.raises(MalformedRequest, match="Host header is no host name"):
        heads.check(b"GET", "1.0", [(b"host", host)])


def test_a_request_names_one_host() -> None:
    heads.check(b"GET", "1.0", [])
    for fields, count in (([], 0), ([HOST, HOST], 2)):
        with pytest.raises(MalformedRequest, match=f"this one has {count}"):
            heads.check(b"GET", "1.1", fields)


def test_a_body_comes_in_chunks_and_in_no_other_coding() -> None:
    heads.check(b"POST", "1.1", [HOST, (b"transfer-encoding", b"Chunked")])
    for coding in (b"gzip, chunked", b"chunked, chunked", b"identity", b"xchunked"):
        with pytest.raises(MalformedRequest, match="only be chunked"):
            heads.check(b"POST", "1.1", [HOST, (b"transfer-encoding", coding)])


def test_connect_is_refused_with_what_the_hub_offers() -> None:
    with pytest.raises(MethodNotAllowed) as refusal:
        heads.check(b"CONNECT", "1.1", [HOST])
    assert refusal.value.headers == {"Allow": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"}


@pytest.mark.parametrize(
    ("method", "target", "path"),
    [
        (b"GET", b"/v1/repos?limit=2", b"/v1/repos?limit=2"),
        (b"GET", b"//a/b", b"//a/b"),
        (b"GET", b"http://hub.example", b"/"),
        (b"GET", b"HTTP://hub.example:8080/v1?a=b", b"/v1?a=b"),
        (b"GET", b"https://[::1]?over=day", b"/?over=day"),
        (b"OPTIONS", b"*", b"*"),
        (b"OPTIONS", b"http://hub.example:80", b"*"),
        (b"OPTIONS", b"http://hub.example?", b"/?"),
    ],
)
def test_a_target_becomes_a_path(method: bytes, target: bytes, path: bytes) -> None:
    assert heads.routed(method, target) == path


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (b"*", "OPTIONS only"),
        (b"/a#b", "no fragment"),
        (b"hub:80", "absolute http"),
        (b"ftp://hub/", "absolute http"),
        (b"http://me:secret@hub/", "without a user name"),
        (b"httpx://hub", "absolute http"),
        (b"http:///v1", "with a host"),
        (b"http://", "with a host"),
        (b"https://:80/v1", "with a host"),
    ],
)
def test_what_is_no_target_is_refused(target: bytes, says: str) -> None:
    with pytest.raises(MalformedRequest, match=says):
        heads.routed(b"GET", target)


def test_a_head_without_its_offer_says_all_else_again() -> None:
    fields = [HOST, (b"upgrade", b"h2c"), (b"connection", b"Upgrade, close"), (b"x", b"")]

    assert heads.without_upgrade(b"PUT", b"/a?b", "1.0", fields) == (
        b"PUT /a?b HTTP/1.0\r\nhost: hub.example\r\nconnection: Upgrade, close\r\nx: \r\n\r\n"
    )


@pytest.mark.parametrize("name", ["check", "routed"])
async def test_a_fault_of_the_hubs_own_is_logged_and_no_fault_of_the_request(
    server: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as failing:
        failing.setattr(heads, name, fail)
        answered = await server.say(GET)

    assert answered.startswith(b"HTTP/1.1 500 ")
    assert b"/problems/internal-error" in answered
    assert "ZeroDivisionError" in caplog.text
    assert (await server.say(CLOSING)).endswith(b"hello")


@pytest.mark.parametrize("target", [b"/\xc3\xa9", b"http://", b"http://hub:x/", b"http://[::1/"], ids=repr)
async def test_a_target_that_is_no_url_is_a_fault_of_the_request(
    server: Served, caplog: pytest.LogCaptureFixture, target: bytes
) -> None:
    answered = await server.say(b"GET %s HTTP/1.1\r\nHost: hub\r\n\r\n" % target)

    assert answered.startswith(b"HTTP/1.1 400 ")
    assert caplog.records == []
