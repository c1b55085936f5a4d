from __future__ import annotations

import asyncio
import tracemalloc
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.fetch import MAX_BYTES, FetchBounds, Fetched, Fetcher, TalkTime, Validators
from shared.fetch.connection import MAX_HEAD
from shared.fetch.exchange import Exchange
from shared.fetch.guard import Guard
from shared.fetch.lanes import Widths
from shared.problems import (
    AddressRefused,
    Overloaded,
    SourceNotAnIndex,
    SourceProblem,
    SourceRedirect,
    SourceStatus,
    SourceTimeout,
    SourceTooLarge,
    SourceUnreachable,
)
from tests.builders import Hands
from tests.shared.fetch.hostile import INDEX, Hostile, answer, bomb, hangs, head, packed, repeats, sends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager

    from tests.shared.fetch.hostile import Behaviour

NOT_READ = r"^The source redirects to a host, an address or a port that the hub does not read from\.$"
PATIENCE = FetchBounds(total_seconds=600, connect_seconds=600)
HASTE = FetchBounds(total_seconds=0.4, connect_seconds=0.2)
NONE = Validators()

pytestmark = pytest.mark.usefixtures("real_network")


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    """A fetcher that may read from loopback."""
    made = Fetcher(Guard(["127.0.0.0/8"]), "reuse-surface-hub/0 (+http://hub)", PATIENCE)
    yield made
    await made.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Fetcher]:
    """The same with little patience."""
    made = Fetcher(Guard(["127.0.0.0/8"]), "tests", HASTE)
    yield made
    await made.close()


async def refused(fetcher: Fetcher, url: str, kind: type[SourceProblem], says: str = ".") -> SourceProblem:
    """Fetch, and return the problem, of exactly this *kind*; whatever came of it, it was in time."""
    with pytest.raises(SourceProblem, match=says) as fault:
        async with asyncio.timeout(PATIENCE.total_seconds / 2):
            await fetcher.fetch(url, NONE)
    assert type(fault.value) is kind
    return fault.value


# What brings an index.

async def test_a_document_comes_with_its_validators(fetcher: Fetcher, source: Hostile) -> None:
    url = source.at("/", answer(body=INDEX, ETag='W/"1"', Last_Modified="Mon, 23 Nov 2026 10:00:00 GMT"))

    fetched = await fetcher.fetch(url, NONE)

    assert fetched == Fetched(200, INDEX, Validators('W/"1"', "Mon, 23 Nov 2026 10:00:00 GMT"))

async def test_the_request_says_who_asks_and_nothing_else(fetcher: Fetcher, source: Hostile) -> None:
    url = source.at("/a?b=c", answer(body=INDEX, Set_Cookie="a=b; Path=/"))

    await fetcher.fetch(url, NONE)
    await fetcher.fetch(url, Validators('"1"', "yesterday"), accept="application/yaml, */*;q=0.5")

    (_, first), (_, second) = source.requests
    assert first == {
        "host": f"127.0.0.1:{source.port}",
        "user-agent": "reuse-surface-hub/0 (+http://hub)",
        "accept": "*/*",
        "accept-encoding": "gzip",
        "connection": "close",
    }
    asked = {"accept": "application/yaml, */*;q=0.5", "if-none-match": '"1"', "if-modified-since": "yesterday"}
    assert second == first | asked

async def test_the_environment_lends_neither_proxies_nor_credentials(
    source: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://user:secret@127.0.0.1:9")
    url = source.at("/", answer(body=INDEX))
    fetcher = Fetcher(Guard(["127.0.0.0/8"]), "tests", HASTE)

    assert (await fetcher.fetch(url, NONE)).body == INDEX

    await fetcher.close()
    assert {"authorization", "proxy-authorization", "cookie"} & source.requests[0][1].keys() == set()

async def test_304_means_unchanged_when_it_was_asked_for(fetcher: Fetcher, source: Hostile) -> None:
    url, sent = source.at("/", head("304 Not Modified", ETag='"1"')), Validators('"1"')

    assert await fetcher.fetch(url, sent) == Fetched(304, None, sent)
    problem = await refused(fetcher, url, SourceStatus, "answered 304")
    assert problem.source_status == 304

@pytest.mark.parametrize(
    ("body", "encoding"),
    [(INDEX, "identity"), (packed(INDEX), "gzip"), (packed(INDEX), "x-gzip"), (packed(b"a: ") + packed(b"1"), "GZIP ")],
    ids=["identity", "gzip", "x-gzip", "two members"],
)
async def test_one_layer_of_gzip_is_undone(
    fetcher: Fetcher, source: Hostile, body: bytes, encoding: str
) -> None:
    url = source.at("/", answer(body=body, Content_Encoding=encoding))

    assert (await fetcher.fetch(url, NONE)).body in {INDEX, b"a: 1"}

async def test_chunks_and_bodies_up_to_the_bound_are_read(fetcher: Fetcher, source: Hostile) -> None:
    chunked = source.at("/c", head(Transfer_Encoding="chunked") + b"3\r\na: \r\n1\r\n1\r\n0\r\n\r\n")
    largest = source.at("/l", answer(body=b"#" * MAX_BYTES))
    until_closed = source.at("/u", sends(head(Connection="close") + INDEX, close=True))

    assert (await fetcher.fetch(chunked, NONE)).body == b"a: 1"
    assert len((await fetcher.fetch(largest, NONE)).body or b"") == MAX_BYTES
    assert (await fetcher.fetch(until_closed, NONE)).body == INDEX

@pytest.mark.parametrize("value", ["x" * 257, "\x80", "a\tb"], ids=["long", "not ASCII", "a tab"])
async def test_odd_validators_are_not_kept(fetcher: Fetcher, source: Hostile, value: str) -> None:
    url = source.at("/", answer(body=INDEX, ETag=value))

    assert (await fetcher.fetch(url, NONE)).validators == NONE


CHUNKED = head(Transfer_Encoding="chunked")
GARBAGE = b"\x00\xff\x00 not HTTP at all \r\n\r\n"
BOMB = bomb(64 << 20)
MANY_COOKIES = head(**{f"Set-Cookie-{number}": "x" * 1000 for number in range(200)})
MISBEHAVIOURS: dict[str, tuple[Behaviour | bytes, type[SourceProblem], str]] = {
    "hangs": (hangs, SourceTimeout, "within"),
    "hangs within the head": (sends(b"HTTP/1.1 200 OK\r\nCont", b"", every=9), SourceTimeout, "within"),
    "hangs within the body": (sends(answer(body=b"a", length=9), b"", every=9), SourceTimeout, "within"),
    "drips a head": (repeats(b"HTTP/1.1 200 OK\r\n", b"X: 1\r\n", every=0.02), SourceTimeout, "within"),
    "drips a body": (repeats(answer(length=10_000), b"#", every=0.02), SourceTimeout, "within"),
    "drips chunks": (repeats(CHUNKED, b"1\r\n#\r\n", every=0.02), SourceTimeout, "within"),
    "drips early hints": (repeats(b"", head("103 Early Hints", Link="</a>"), every=0.02), SourceTimeout, "within"),
    "floods early hints": (repeats(b"", head("100 Continue") * 2600), SourceTooLarge, "98,304 bytes of headers"),
    "sends headers without end": (repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 999), SourceTooLarge, "98,304 bytes"),
    "sends many headers": (MANY_COOKIES, SourceTooLarge, "98,304 bytes of headers"),
    "sends a body without end": (repeats(head(), b"#" * 65536), SourceTooLarge, "more than 5,242,880"),
    "sends chunks without end": (
        repeats(CHUNKED, b"8000\r\n" + b"#" * 32768 + b"\r\n"), SourceTooLarge, "more than",
    ),
    "sends chunks of a byte": (
        repeats(CHUNKED, b"1\r\n#\r\n" * 5000), SourceTooLarge, "more than 262,144 chunks. Send larger",
    ),
    "claims a body too large": (answer(length=MAX_BYTES + 1), SourceTooLarge, "more than"),
    "closes before the end": (sends(answer(body=b"a", length=9), close=True), SourceUnreachable, "connection|cut off"),
    "breaks a chunk": (sends(CHUNKED + b"5\r\nab", close=True), SourceUnreachable, "connection"),
    "sends a chunk without length": (CHUNKED + b"zz\r\nab", SourceUnreachable, "connection"),
    "closes at once": (sends(close=True), SourceUnreachable, "connection"),
    "answers garbage": (GARBAGE, SourceUnreachable, "connection"),
    "answers with two lengths": (head(Content_Length="1", content_length="2") + b"ab", SourceUnreachable, "connection"),
    "sends a bomb": (answer(body=BOMB, Content_Encoding="gzip"), SourceTooLarge, "more than"),
    "sends a bomb in a bomb": (
        answer(body=packed(BOMB), Content_Encoding="gzip, gzip"), SourceNotAnIndex, "is gzip, gzip; ",
    ),
    "sends brotli": (answer(body=b"x", Content_Encoding="br"), SourceNotAnIndex, "is br; the hub reads gzip"),
    "sends no gzip": (answer(body=INDEX, Content_Encoding="gzip"), SourceNotAnIndex, "gzip"),
    "cuts its gzip": (answer(body=packed(INDEX)[:-9], Content_Encoding="gzip"), SourceUnreachable, "cut off"),
    "sends a web page": (answer(body=b"<html>", Content_Type="text/html; charset=utf-8"), SourceNotAnIndex, "raw URL"),
    "sends XHTML": (answer(body=b"<html>", Content_Type="Application/XHTML+xml"), SourceNotAnIndex, "raw URL"),
    "answers 204": (head("204 No Content"), SourceStatus, "answered 204"),
    "answers 205": (answer("205 Reset Content"), SourceStatus, "answered 205"),
    "answers 206": (answer("206 Partial Content", INDEX), SourceStatus, "answered 206"),
    "answers 300": (answer("300 Multiple Choices", Location="/other"), SourceStatus, "answered 300"),
    "answers 401": (answer("401 Unauthorized", WWW_Authenticate="Basic"), SourceStatus, "answered 401"),
    "answers 404": (answer("404 Not Found", b"404"), SourceStatus, "answered 404"),
    "answers 500": (answer("500 Oops", b"#" * 99), SourceStatus, "answered 500"),
}  # fmt: skip


@pytest.mark.parametrize("how", MISBEHAVIOURS)
async def test_a_source_that(fetcher: Fetcher, hasty: Fetcher, source: Hostile, how: str) -> None:
    behaviour, kind, says = MISBEHAVIOURS[how]
    bad, good = source.at("/bad", behaviour), source.at("/good", answer(body=INDEX))

    await refused(hasty if kind is SourceTimeout else fetcher, bad, kind, says)

    assert (await fetcher.fetch(good, NONE)).body == INDEX, "what one source did, the next does not feel"


async def test_memory_stays_bounded_whatever_comes(fetcher: Fetcher, source: Hostile) -> None:
    url = source.at("/", answer(body=BOMB, Content_Encoding="gzip"))
    tracemalloc.start()

    await refused(fetcher, url, SourceTooLarge)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * MAX_BYTES


async def test_no_answer_at_the_address_is_unreachable(fetcher: Fetcher, source: Hostile) -> None:
    async with Hostile().running():
        pass
    closed = Hostile()
    async with closed.running():
        url = closed.at("/", INDEX)

    await refused(fetcher, url, SourceUnreachable, "No server accepts connections")
    assert source.requests == []


async def test_a_listener_that_does_not_speak_tls_is_unreachable(fetcher: Fetcher) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What is left unread when a server closes resets the connection, which is another failure.
        await reader.read(1 << 16)
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await refused(fetcher, f"https://127.0.0.1:{port}/", SourceUnreachable, "must speak https")
        await refused(fetcher, f"http://127.0.0.1:{port}/", SourceUnreachable, "is not HTTP/1.1")


async def test_what_may_not_be_read_is_never_contacted(source: Hostile) -> None:
    fetcher = Fetcher(Guard(), "tests", HASTE)

    await refused(fetcher, source.at("/", answer(body=INDEX)), AddressRefused)
    await refused(fetcher, source.url("/", "localhost"), AddressRefused)

    await fetcher.close()
    assert source.connections == 0


# Followed by hand, at most three, each judged like the first URL.

@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(fetcher: Fetcher, source: Hostile, status: int) -> None:
    source.at("/b/index", answer(body=INDEX, ETag='"1"'))
    url = source.at("/a", answer(f"{status} Moved", Location="b/index#part"))

    assert await fetcher.fetch(url, NONE) == Fetched(200, INDEX, Validators('"1"', url=source.url("/b/index")))

async def test_validators_are_sent_to_the_url_that_they_came_from_and_to_no_other(
    fetcher: Fetcher, source: Hostile
) -> None:
    old, new = source.at("/old", answer(body=INDEX, ETag='"1"')), source.at("/new", head("304 Not Modified"))
    moved = source.at("/moved", answer("302 Found", Location="/old"))
    validators = (await fetcher.fetch(moved, NONE)).validators
    source.requests.clear()

    source.at("/old", head("304 Not Modified"))
    assert await fetcher.fetch(moved, validators) == Fetched(304, None, validators)
    source.at("/new", answer(body=b"a: 1", ETag='"1"'))
    source.at("/moved", answer("302 Found", Location="/new"))
    assert await fetcher.fetch(moved, validators) == Fetched(200, b"a: 1", Validators('"1"', url=new))
    source.at("/moved", answer(body=b"b: 1"))
    assert await fetcher.fetch(moved, validators) == Fetched(200, b"b: 1", NONE)

    sent = [(path, headers.get("if-none-match")) for path, headers in source.requests]
    assert sent == [("/moved", None), ("/old", '"1"'), ("/moved", None), ("/new", None), ("/moved", None)]
    assert validators.url == old

async def test_redirects_ten_are_followed_and_no_more(fetcher: Fetcher, source: Hostile) -> None:
    for number in range(11):
        source.at(f"/{number}", answer("302 Found", Location=f"/{number + 1}"))
    source.at("/11", answer(body=INDEX))

    assert (await fetcher.fetch(source.url("/1"), NONE)).body == INDEX
    problem = await refused(fetcher, source.url("/0"), SourceRedirect, "more than 10 times")
    assert problem.source_status == 302

async def test_redirects_in_circles_end_where_the_circle_closes(fetcher: Fetcher, source: Hostile) -> None:
    source.at("/a", answer("302 Found", Location="/b"))
    source.at("/b", answer("302 Found", Location="/a"))

    await refused(fetcher, source.url("/a"), SourceRedirect, "in a circle")

    assert [path for path, _ in source.requests] == ["/a", "/b"]

@pytest.mark.parametrize(
    ("location", "kind", "says"),
    [
        pytest.param("http://169.254.169.254/latest/meta-data", AddressRefused, NOT_READ, id="metadata"),
        pytest.param("http://10.0.0.1/", AddressRefused, NOT_READ, id="a private address"),
        pytest.param("http://[::1]/", AddressRefused, NOT_READ, id="loopback in IPv6"),
        pytest.param("http://localhost/", AddressRefused, NOT_READ, id="a private name"),
        pytest.param("http://2130706433/", AddressRefused, NOT_READ, id="a number"),
        pytest.param("file:///etc/passwd", SourceRedirect, "redirects to must be an absolute http", id="a file"),
        pytest.param("gopher://h.example/", SourceRedirect, "must be an absolute http", id="another scheme"),
        pytest.param("http://user:secret@h.example/", SourceRedirect, "must not hold a user name", id="credentials"),
        pytest.param("http://h.example:99999/", SourceRedirect, "redirects to is not a URL|a port from", id="no port"),
        pytest.param("http://[::1", SourceRedirect, "redirects to is not a URL", id="half a bracket"),
        pytest.param("/" + "x" * 8000, SourceRedirect, "at most 8,000 characters", id="a long one"),
    ],
)
async def test_redirects_lead_nowhere_else(
    fetcher: Fetcher, source: Hostile, location: str, kind: type[SourceProblem], says: str
) -> None:
    await refused(fetcher, source.at("/", answer("302 Found", Location=location)), kind, says)

    assert len(source.requests) == 1


async def test_where_a_redirect_led_is_told_by_the_log_alone(
    fetcher: Fetcher, source: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    url = source.at("/", answer("302 Found", Location="http://10.20.30.40:3000/"))

    problem = await refused(fetcher, url, AddressRefused, NOT_READ)

    assert "10.20" not in problem.detail
    assert "The address 10.20.30.40 is not on the public internet." in caplog.text


async def test_what_the_hubs_own_machine_lacks_is_no_fault_of_the_source(
    fetcher: Fetcher, source: Hostile, no_free_files: Callable[[], AbstractContextManager[None]]
) -> None:
    url = source.at("/", answer(body=INDEX))

    with no_free_files(), pytest.raises(Overloaded, match="no open files left") as fault:
        await fetcher.fetch(url, NONE)

    assert fault.value.headers == {"Retry-After": "30"}
    assert (await fetcher.fetch(url, NONE)).body == INDEX

async def test_redirects_to_long_signed_urls_are_followed(fetcher: Fetcher, source: Hostile) -> None:
    signed = "/object?signature=" + "x" * 4000
    source.at(signed, answer(body=INDEX))

    assert (await fetcher.fetch(source.at("/", answer("302 Found", Location=signed)), NONE)).body == INDEX

async def test_redirects_without_a_target_are_refused(fetcher: Fetcher, source: Hostile) -> None:
    await refused(fetcher, source.at("/", answer("302 Found")), SourceRedirect, "without saying where")

@pytest.mark.parametrize("path", ["/users/sign_in", "/login?return_to=%2F", "/session/new", "/a/oauth2/b"])
async def test_redirects_to_a_sign_in_page_are_told_as_such(fetcher: Fetcher, source: Hostile, path: str) -> None:
    source.at(path, answer(body=b"<html>", Content_Type="text/html"))
    url = source.at("/private.yaml", answer("302 Found", Location=path))

    problem = await refused(fetcher, url, SourceRedirect, "redirects to a page for signing in")

    assert "publish a raw URL" in problem.detail
    assert "127.0.0.1" not in problem.detail
    assert len(source.requests) == 1

async def test_redirects_share_one_deadline(hasty: Fetcher, source: Hostile) -> None:
    for number in range(4):
        moved = answer("302 Found", Location=f"/{number + 1}")
        source.at(f"/{number}", sends(b"", moved, every=HASTE.total_seconds * 0.7))

    await refused(hasty, source.url("/0"), SourceTimeout)

    assert len(source.requests) <= 2


async def test_never_from_https_to_http(monkeypatch: pytest.MonkeyPatch) -> None:
    async def moved(*_: object) -> httpx.Response:
        return httpx.Response(302, headers={"Location": "http://h.example/"})

    monkeypatch.setattr(Exchange, "ask", moved)
    fetcher = Fetcher(Guard(), "tests", HASTE)

    await refused(fetcher, "https://h.example/", SourceRedirect, "from https to http")

    await fetcher.close()


async def test_a_phase_that_takes_too_long_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(*_: object) -> httpx.Response:
        raise httpx.ConnectTimeout("")

    monkeypatch.setattr(Exchange, "ask", slow)
    fetcher = Fetcher(Guard(), "tests", HASTE)

    await refused(fetcher, "https://h.example/", SourceTimeout, "No connection .* within 0.2 s")

    await fetcher.close()


async def test_a_host_that_asks_to_be_left_alone_is_named(fetcher: Fetcher, source: Hostile) -> None:
    source.at("/busy", answer("429 Too Many Requests", Retry_After="120"))
    moved = source.at("/moved", answer("302 Found", Location=source.url("/busy", "127.0.0.2")))
    missing = source.at("/missing", answer("404 Not Found", Retry_After="120"))

    problem = await refused(fetcher, moved, SourceStatus, "answered 429")
    other = await refused(fetcher, missing, SourceStatus, "answered 404")

    assert (problem.source_status, problem.host, problem.retry_after) == (429, "127.0.0.2", 120)
    assert other.retry_after is None


async def test_sources_that_hang_keep_no_other_waiting(source: Hostile) -> None:
    fetcher = Fetcher(
        Guard(["127.0.0.0/8"]), "tests", FetchBounds(total_seconds=5, widths=Widths(4, 9, 1, 1, 0.1, 0.05))
    )
    good, _ = source.at("/good", answer(body=INDEX)), source.at("/hangs", hangs)

    hung = [asyncio.create_task(fetcher.fetch(source.url("/hangs", f"127.0.1.{n}"), NONE)) for n in range(8)]
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert (await fetcher.fetch(good, NONE)).body == INDEX

    assert not any(task.done() for task in hung), "those go on, for as long as they may"
    for task in hung:
        task.cancel()
    await asyncio.gather(*hung, return_exceptions=True)
    await fetcher.close()


async def test_an_origin_gets_four_connections_at_a_time_each_for_one_request(
    fetcher: Fetcher, source: Hostile
) -> None:
    url = source.at("/", sends(b"", answer(body=INDEX), every=0.02))

    await asyncio.gather(*(fetcher.fetch(url, NONE) for _ in range(20)))

    assert (source.most_open, source.connections) == (4, 20)


async def test_waiting_for_a_place_does_not_count_as_the_sources_time(source: Hostile) -> None:
    url = source.at("/", sends(b"", answer(body=INDEX), every=0.5))
    fetcher = Fetcher(Guard(["127.0.0.0/8"]), "tests", FetchBounds(total_seconds=2))

    fetched = await asyncio.gather(*(fetcher.fetch(url, NONE) for _ in range(24)))

    assert {one.body for one in fetched} == {INDEX}
    await fetcher.close()


async def test_a_talk_counts_every_hop_and_no_wait_for_a_place(source: Hostile) -> None:
    hands = Hands()

    def slow(whole: bytes) -> Behaviour:
        async def behave(writer: asyncio.StreamWriter, _: dict[str, str]) -> None:
            hands.advance(1.5)
            writer.write(whole)

        return behave

    source.at("/moved", slow(answer("302 Found", Location="/")))
    source.at("/", slow(answer(body=INDEX)))
    fetcher = Fetcher(Guard(["127.0.0.0/8"]), "tests", FetchBounds(per_origin=1))
    talks = [TalkTime(hands.clock()) for _ in range(6)]

    await asyncio.gather(*(fetcher.fetch(source.url("/moved"), NONE, talk) for talk in talks))

    await fetcher.close()
    assert [talk.seconds for talk in talks] == [3.0] * 6


async def test_a_talk_that_fails_is_counted_too(source: Hostile) -> None:
    hands = Hands()
    talk = TalkTime(hands.clock())

    async def breaks(writer: asyncio.StreamWriter, _: dict[str, str]) -> None:
        hands.advance(1.5)
        writer.close()

    fetcher = Fetcher(Guard(["127.0.0.0/8"]), "tests", FetchBounds())
    with pytest.raises(SourceUnreachable):
        await fetcher.fetch(source.at("/", breaks), NONE, talk)
    await fetcher.close()

    assert talk.milliseconds == 1500


async def test_an_index_streamed_line_by_line_is_read(fetcher: Fetcher, source: Hostile) -> None:
    lines = [b"- {id: capability.a.n%d, name: A}\n" % number for number in range(12_805)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(line), line) for line in lines)

    fetched = await fetcher.fetch(source.at("/", CHUNKED + chunks + b"0\r\n\r\n"), NONE)

    assert fetched.body == b"".join(lines)


async def test_a_length_beside_chunks_is_ignored(fetcher: Fetcher, source: Hostile) -> None:
    both = head(Transfer_Encoding="chunked", Content_Length="99999999")

    assert (await fetcher.fetch(source.at("/", both + b"4\r\na: 1\r\n0\r\n\r\n"), NONE)).body == b"a: 1"


@pytest.mark.parametrize("size", [MAX_HEAD - 500, MAX_HEAD - 40_000])
async def test_a_body_behind_a_large_head_does_not_count_as_headers(
    fetcher: Fetcher, source: Hostile, size: int
) -> None:
    whole = answer(body=b"#" * 200_000, X="y" * size)

    fetched = await fetcher.fetch(source.at("/", sends(whole[:1000], whole[1000:], every=0.01)), NONE)

    assert fetched.body == b"#" * 200_000
