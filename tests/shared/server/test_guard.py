"""The guard, on real sockets, with bounds of tenths of seconds and a few kilobytes."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import tracemalloc
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from shared.server import guard
from shared.server.bounds import READ_BYTES
from shared.server.connections import Connections
from shared.server.unread import UnsentBodies
from tests.shared.server.guarded import CLOSING, GET, KEPT, SOON, UP, bodies, problem

if TYPE_CHECKING:
    from tests.shared.server.guarded import Served

CHUNKED = b"Transfer-Encoding: chunked\r\n"


async def test_answers_as_ever(server: Served) -> None:
    reader, writer = await server.connect()
    for _ in range(3):
        writer.write(GET)
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")
    await asyncio.sleep(2 * SOON)
    writer.write(GET)
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")


async def test_what_a_connection_sends_is_read_into_memory_that_is_there_already(server: Served) -> None:
    # A stream would read as asyncio does, whatever the server does.
    client = socket.create_connection(("127.0.0.1", server.port))
    client.settimeout(0)
    loop = asyncio.get_running_loop()

    async def ask() -> bytes:
        await loop.sock_sendall(client, GET)
        answer = b""
        while not answer.endswith(b"hello"):
            answer += await loop.sock_recv(client, 1000)
        return answer

    with client:
        await ask()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            assert (await ask()).startswith(b"HTTP/1.1 200 OK")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak - before < READ_BYTES


async def test_bodies_that_arrive_at_once_are_not_mixed(server: Served) -> None:
    size = 5 * READ_BYTES

    async def send(letter: bytes) -> bytes:
        head = UP + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size
        return await server.say(head, *[letter * 1000] * (size // 1000), letter * (size % 1000))

    answers = await asyncio.gather(*(send(letter) for letter in (b"a", b"b", b"c")))

    assert [bodies(answer) for answer in answers] == [[letter * size] for letter in (b"a", b"b", b"c")]


async def test_takes_time_for_what_the_hub_does_itself(server: Served) -> None:
    answer = await server.say(b"GET /wait HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")

    assert answer.endswith(b"hello")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"GET / HT"], id="a line that is cut off"),
        pytest.param([b"GET / HTTP/1.1\r\nHost: hub\r\n"], id="a head that is cut off"),
        pytest.param([b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 9\r\n\r\n"], id="a body that is missing"),
        pytest.param([b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 9\r\n\r\nabc"], id="a body that is cut off"),
        pytest.param([b"POST / HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"], id="chunks"),
    ],
)
async def test_a_request_has_to_arrive_in_time(server: Served, pieces: list[bytes]) -> None:
    problem(await server.say(*pieces), "request-timeout")
    await server.has(0)


async def test_a_request_that_arrives_drop_by_drop_has_no_more_time(server: Served) -> None:
    reader, writer = await server.connect()

    async def drip() -> None:
        for number in range(1000):
            writer.write(b"GET /" if number == 0 else b"x")
            await asyncio.sleep(SOON / 10)

    drops = asyncio.create_task(drip())
    problem(await server.rest(reader), "request-timeout")
    drops.cancel()


async def test_a_later_request_has_to_arrive_in_time_too(server: Served) -> None:
    answer = await server.say(GET, b"GET / HT")

    first, _, second = answer.partition(b"hello")
    assert first.startswith(b"HTTP/1.1 200 OK")
    problem(second, "request-timeout")


async def test_a_kept_connection_has_one_timer_however_many_requests_come(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(GET)
    await reader.readuntil(b"hello")
    loop: Any = asyncio.get_running_loop()
    # Asyncio keeps timers that were cancelled until there are a hundred of them.
    before = len(loop._scheduled)

    for _ in range(50):
        writer.write(GET)
        await reader.readuntil(b"hello")

    # Each look sets the next.
    assert len(loop._scheduled) - before <= 1


async def test_an_idle_connection_has_its_time_after_each_answer(server: Served) -> None:
    server.bounds.idle_seconds = 3 * SOON
    reader, writer = await server.connect()
    for _ in range(6):
        writer.write(GET)
        await reader.readuntil(b"hello")
        await asyncio.sleep(SOON)

    assert await server.rest(reader) == b""
    await server.has(0)


@pytest.mark.parametrize("asked", [b"", GET, UP + b"Content-Length: 5\r\n\r\nhello"], ids=["first", "later", "a body"])
async def test_an_empty_line_is_no_request_that_has_to_arrive(server: Served, asked: bytes) -> None:
    reader, writer = await server.connect()
    writer.write(asked)
    if asked:
        await reader.readuntil(b"hello")
    writer.write(b"\r\n")
    await asyncio.sleep(3 * SOON)
    writer.write(CLOSING)

    assert bodies(await server.rest(reader)) == [b"hello"]


async def test_empty_lines_without_end_are_refused(server: Served) -> None:
    problem(await server.say(b"\r\n" * 2000), "head-too-large")


async def test_a_connection_that_says_nothing_ends(server: Served) -> None:
    server.bounds.idle_seconds = SOON
    assert await server.say() == b""
    await server.has(0)


async def test_a_connection_that_was_opened_ahead_waits_as_one_after_an_answer(server: Served) -> None:
    reader, writer = await server.connect()
    problem(await server.say(b"GET / HT"), "request-timeout")

    writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert (await server.rest(reader)).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"GET / HTTP/1.1\r\nHost: hub\r\nX: " + b"x" * 3000], id="a header without an end"),
        pytest.param([b"GET / HTTP/1.1\r\n", *[b"X: " + b"y" * 60 + b"\r\n"] * 50], id="headers without an end"),
        pytest.param([b"GET /" + b"x" * 3000], id="a URL without an end"),
        pytest.param([b"GET / HTTP/1.1\r\nHost: hub\r\nX: " + b"x" * 3000 + b"\r\n\r\n"], id="one that is complete"),
        pytest.param([b"POST / HTTP/1.1\r\nContent-Length: 3\r\nX: " + b"x" * 3000 + b"\r\n\r\nabc"], id="with a body"),
        pytest.param([GET + b"GET / HTTP/1.1\r\nX: " + b"x" * 3000 + b"\r\n\r\n"], id="one that follows at once"),
    ],
)
async def test_a_head_has_a_bound(server: Served, pieces: list[bytes]) -> None:
    answer = await server.say(*pieces)

    if b"hello" in answer:
        answer = answer.partition(b"hello")[2]
    document = problem(answer, "head-too-large") if answer else {"detail": "2,000 bytes"}
    assert "2,000 bytes" in document["detail"]


@pytest.mark.parametrize("end", [pytest.param(b"\r\n", id="ended"), pytest.param(b"A: b\r\nA", id="open")])
async def test_header_fields_have_a_bound(server: Served, end: bytes) -> None:
    fields = [b"A: b\r\n"] * guard.MOST_FIELDS

    answer = await server.say(b"GET /fields HTTP/1.1\r\nHost: hub\r\n", *fields[2:], b"Connection: close\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n%d fields" % guard.MOST_FIELDS)
    answer = await server.say(b"GET /fields HTTP/1.1\r\nHost: hub\r\n" + b"".join(fields) + end)
    assert problem(answer, "head-too-large")["detail"] == f"A request may have {guard.MOST_FIELDS} header fields."


async def test_fields_after_a_body_are_not_kept(server: Served) -> None:
    head = b"POST /fields HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    reader, writer = await server.connect()

    for _ in range(2):
        writer.write(head + b"A: b\r\n" * 10_000 + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(8) == b"2 fields"


async def test_a_body_larger_than_a_head_may_be_is_none_of_its_business(server: Served) -> None:
    body = b"b" * 100_000
    head = b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: %d\r\n\r\n" % len(body)
    reader, writer = await server.connect()

    for _ in range(2):
        writer.write(head + body)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(body)) == body


async def test_a_body_without_an_end_is_cut_off(server: Served) -> None:
    head = b"POST / HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n"

    with contextlib.suppress(ConnectionError):
        assert await server.say(head, *[b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"] * 20) == b""
    await server.has(0)


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(b"hello\r\n\r\n", id="no HTTP"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", id="TLS"),
        pytest.param(b"GET / HTTP/1.1\r\nA b: c\r\n\r\n", id="no header"),
        pytest.param(UP + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="two lengths"),
        pytest.param(UP + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", id="a length twice"),
        pytest.param(UP + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", id="no chunk"),
        pytest.param(UP + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", id="a coding"),
        pytest.param(UP + CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n", id="two lengths turned"),
        pytest.param(UP + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", id="a coding twice"),
        pytest.param(UP + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", id="a space before the colon"),
        pytest.param(UP + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", id="a coding behind a tab of lines"),
        pytest.param(UP + b"Transfer-Encoding:\r\nContent-Length: 0\r\n\r\n", id="no coding"),
        pytest.param(UP + b"Content-Length: +1\r\n\r\na", id="a length with a sign"),
        pytest.param(UP + b"Content-Length: 1, 1\r\n\r\na", id="a list of lengths"),
        pytest.param(UP + b"Content-Length: 99999999999999999999\r\n\r\na", id="a length without measure"),
        pytest.param(UP + CHUNKED + b"\r\n1\na\n0\n\n", id="chunks with bare line feeds"),
        pytest.param(UP + CHUNKED + b"\r\n1;a\nb\r\na\r\n0\r\n\r\n", id="a line feed in an extension"),
        pytest.param(UP + CHUNKED + b"\r\nfffffffffffffffff\r\na", id="a chunk without measure"),
        pytest.param(UP + CHUNKED + b"\r\n1\r\nabc\r\n0\r\n\r\n", id="a chunk that is longer"),
        pytest.param(UP + b"A: b\r\n c\r\n\r\n", id="a folded line"),
        pytest.param(b"GET / HTTP/1.1\nHost: hub\n\n", id="bare line feeds"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: hub\r\nA: b\rC: d\r\n\r\n", id="a bare carriage return"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: hub\r\nA: b\0c\r\n\r\n", id="a NUL"),
        pytest.param(b"GET http:///a HTTP/1.1\r\nHost: hub\r\n\r\n", id="a URL without a host"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/2.0\r\nHost: hub\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: hub\r\nHost: hub\r\n\r\n", id="two hosts"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: hub/v1\r\n\r\n", id="a host with a path"),
        pytest.param(b"GET * HTTP/1.1\r\nHost: hub\r\n\r\n", id="the whole server"),
        pytest.param(b"GET /a#b HTTP/1.1\r\nHost: hub\r\n\r\n", id="a fragment"),
        pytest.param(b"GET ftp://hub/ HTTP/1.1\r\nHost: hub\r\n\r\n", id="another scheme"),
        pytest.param(b"GET http://me@hub/ HTTP/1.1\r\nHost: hub\r\n\r\n", id="a user name"),
        pytest.param(b"GET hub:80 HTTP/1.1\r\nHost: hub\r\n\r\n", id="an authority"),
    ],
)
async def test_what_is_no_request_is_told_so(server: Served, request_: bytes) -> None:
    problem(await server.say(request_), "malformed-request")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (b"GET / HTTP/1.1\r\nHost: hub\r\nA b: c\r\n\r\n", "request: a header field has a character"),
        (b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: +1\r\n\r\na", ": Content-Length is no number."),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "This looks like TLS: this port takes http"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the hub speaks HTTP/1.1 and HTTP/1.0."),
        (b"GET / http/1.1\r\nHost: hub\r\n\r\n", "HTTP/ and a version have to stand behind the target"),
        (b"GET / HTTP/1.1\nHost: hub\n\n", "This is no valid HTTP request."),
    ],
    ids=["a header", "a length", "TLS", "HTTP/2", "a version", "a bare line feed"],
)
async def test_what_is_wrong_with_a_request_is_named(server: Served, sent: bytes, says: str) -> None:
    assert says in problem(await server.say(sent), "malformed-request")["detail"]


@pytest.mark.parametrize("pieces", [[b"\x16", b"\x03\x01"], [b"\x16\x03", b"\x01"]], ids=["one byte", "two"])
async def test_tls_that_comes_in_pieces_is_named(server: Served, pieces: list[bytes]) -> None:
    assert "looks like TLS" in problem(await server.say(*pieces), "malformed-request")["detail"]


@pytest.mark.parametrize(
    "pieces",
    [
        [UP + CHUNKED + b"\r\n1\r\na\r\n", b"\x16\x03\r\n"],
        [b"GET / HTTP/1.1\r\nHost: hub\r\nX: a", b"\x16\x03\r\n\r\n"],
    ],
    ids=["a chunk", "a header"],
)
async def test_what_began_as_http_is_not_taken_for_tls(server: Served, pieces: list[bytes]) -> None:
    assert "TLS" not in problem(await server.say(*pieces), "malformed-request")["detail"]


BODY = b"GET /inner HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKS = b"5;x=y\r\n%s\r\n%x\r\n%s\r\n0\r\nTrailer: t\r\n\r\n" % (BODY[:5], len(BODY) - 5, BODY[5:])


def offering(head: bytes, fields: bytes = b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n") -> bytes:
    """Return the head of a request with an offer to upgrade."""
    return head + b" HTTP/1.1\r\nHost: hub\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n" + fields


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH", b"DELETE"])
@pytest.mark.parametrize(
    "fields",
    [
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n",
        b"Connection: keep-alive, upgrade\r\nUpgrade: websocket\r\n",
        b"Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/2.0\r\nUpgrade: irc\r\n",
    ],
    ids=["h2c", "websocket", "TLS"],
)
@pytest.mark.parametrize("framing", [(LENGTH, BODY), (CHUNKED, CHUNKS)], ids=["length", "chunked"])
async def test_an_offer_to_upgrade_is_ignored(
    server: Served, method: bytes, fields: bytes, framing: tuple[bytes, bytes]
) -> None:
    head, body = offering(method + b" /", fields) + framing[0] + b"\r\n", framing[1]

    odd = [head[:40], head[40:] + body[:7], body[7:] + CLOSING]
    for pieces in ([head + body + CLOSING], [head, body, CLOSING], odd):
        assert bodies(await server.say(*pieces)) == [BODY, b"hello"]


@pytest.mark.parametrize("framing", [(LENGTH, BODY), (CHUNKED, CHUNKS)], ids=["length", "chunked"])
async def test_an_offer_to_upgrade_may_arrive_byte_by_byte(server: Served, framing: tuple[bytes, bytes]) -> None:
    server.bounds.receive_seconds = 60
    request = offering(b"POST /") + framing[0] + b"\r\n" + framing[1] + CLOSING
    reader, writer = await server.connect()
    for place in range(len(request)):
        writer.write(request[place : place + 1])
        await asyncio.sleep(0)

    assert bodies(await server.rest(reader)) == [BODY, b"hello"]


async def test_requests_that_offer_upgrades_are_answered_in_their_order(server: Served) -> None:
    many = [offering(b"POST /") + LENGTH + b"\r\n" + BODY, offering(b"GET /") + b"\r\n"] * 8

    assert bodies(await server.say(b"".join(many) + CLOSING)) == [BODY, b"hello"] * 8 + [b"hello"]


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
async def test_an_offer_to_upgrade_with_the_end_of_the_connection(server: Served, version: bytes) -> None:
    head = offering(b"POST /", b"Connection: close, upgrade\r\nUpgrade: h2c\r\n").replace(b"HTTP/1.1", version)

    assert bodies(await server.say(head + LENGTH + b"\r\n" + BODY + CLOSING)) == [BODY]


async def test_an_offer_to_upgrade_that_waits_for_the_word_to_go_on(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(offering(b"POST /") + b"Expect: 100-continue\r\n" + LENGTH + b"\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY + CLOSING)

    assert bodies(await server.rest(reader)) == [BODY, b"hello"]


async def test_an_offer_to_upgrade_is_not_seen_by_the_application(server: Served) -> None:
    plain = b"GET /fields HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n"

    for fields in (b"\r\n", b"Upgrade: h2c\r\n\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"):
        expected = 3 if b"upgrade" in fields else 2 + fields.count(b"Upgrade")
        assert bodies(await server.say(plain + fields)) == [b"%d fields" % expected]


async def test_an_offer_to_upgrade_in_too_large_a_head_is_refused(server: Served) -> None:
    problem(await server.say(offering(b"POST /") + b"X: " + b"x" * 3000 + b"\r\n\r\n"), "head-too-large")


async def test_what_follows_connect_is_not_read(server: Served) -> None:
    answer = await server.say(b"CONNECT hub:443 HTTP/1.1\r\nHost: hub:443\r\n\r\n" + GET)

    problem(answer, "method-not-allowed")
    assert b"\r\nallow: DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT\r\n" in answer


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        (b"GET http://hub.example/target", b"GET /target?"),
        (b"GET http://hub.example?over=day", b"GET /?over=day"),
        (b"GET HTTPS://[::1]:80?a=http://x/?y", b"GET /?a=http://x/?y"),
        (b"GET http://hub.example", b"hello"),
        (b"GET http://hub.example:80", b"hello"),
        (b"OPTIONS *", b"OPTIONS *?"),
        (b"OPTIONS http://hub.example", b"OPTIONS *?"),
        (b"OPTIONS http://hub.example/target", b"OPTIONS /target?"),
    ],
)
async def test_targets_come_in_every_form(server: Served, line: bytes, seen: bytes) -> None:
    answer = await server.say(line + b" HTTP/1.1\r\nHost: hub.example\r\nConnection: close\r\n\r\n")

    assert bodies(answer) == [seen]


async def test_a_client_of_the_first_version_needs_no_host_and_no_word_to_go_on(server: Served) -> None:
    answer = await server.say(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", b"abc")

    assert bodies(answer) == [b"abc"]


async def test_requests_that_wait_for_their_turn_have_a_bound(server: Served) -> None:
    answers = (await server.say(5000 * GET, 5000 * GET)).split(b"HTTP/1.1 ")[1:]

    assert len(answers) == 1 + guard.MOST_WAITING
    assert all(one.startswith(b"200 OK") and one.endswith(b"hello") for one in answers)
    assert [b"connection: close" in one for one in answers] == [False] * guard.MOST_WAITING + [True]


async def test_those_that_wait_are_answered_however_long_that_takes(server: Served) -> None:
    wait = b"GET /wait HTTP/1.1\r\nHost: hub\r\n\r\n"

    assert (await server.say(wait + 100 * GET)).count(b"hello") == 1 + guard.MOST_WAITING


async def test_a_reader_that_stops_is_let_go(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(b"GET /large HTTP/1.1\r\nHost: hub\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # the transport of a socket can

    await server.has(0)


async def test_a_reader_that_reads_gets_all_though_it_takes_its_time(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(b"GET /large HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    got = 0
    while piece := await reader.read(3_000_000):
        got += len(piece)
        await asyncio.sleep(SOON / 2)

    assert got == 30_000_000


async def stopped(server: Served, path: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection whose client asked for what is at *path* and has read no more than the head."""
    reader, writer = await server.connect()
    writer.write(b"GET %s HTTP/1.1\r\nHost: hub\r\n\r\n" % path)
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return reader, writer


async def test_readers_that_stop_do_not_pin_more_than_the_bound(server: Served) -> None:
    server.bounds.send_seconds = 60
    server.bounds.unread = UnsentBodies(50_000_000, 20)
    for _ in range(4):
        await stopped(server, b"/large")

    await server.has(1)
    assert server.bounds.unread._bytes == 30_000_000


async def test_readers_of_what_the_hub_keeps_are_not_ended_for_its_size(server: Served) -> None:
    server.bounds.send_seconds = 60
    server.bounds.unread = UnsentBodies(1_000_000, 20)
    for _ in range(5):
        await stopped(server, b"/kept")
    reader, writer = await server.connect()
    writer.write(b"GET /kept HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    assert await server.rest(reader) == KEPT
    assert 0 < server.bounds.unread._copied <= 250_000
    await server.has(5)


async def test_one_that_reads_is_not_ended_for_those_that_do_not(server: Served) -> None:
    server.bounds.send_seconds = 60
    server.bounds.unread = UnsentBodies(140_000_000, 20)
    reader, writer = await server.connect()
    writer.write(b"GET /large HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    got = 0
    for _ in range(8):
        await stopped(server, b"/large")
        got += len(await reader.readexactly(3_000_000))

    assert got + len(await server.rest(reader)) == 30_000_000


async def test_a_slow_reader_of_a_large_answer_gets_all_of_it_however_long_that_takes(server: Served) -> None:
    server.bounds.idle_seconds = SOON
    reader, writer = await server.connect()
    writer.write(b"GET /kept HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    # Ten times as long as one may stand still.
    got = 0
    for _ in range(30):
        got += len(await reader.readexactly(900_000))
        await asyncio.sleep(SOON / 3)

    assert got + len(await server.rest(reader)) == len(KEPT)


async def test_idle_connections_make_room_for_new_ones(server: Served) -> None:
    server.bounds.receive_seconds = 60
    for _ in range(60):
        await server.connect()

    reader, writer = await server.connect()
    writer.write(GET)

    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")
    assert len(server.state.connections) <= 20


async def test_a_request_that_has_not_arrived_makes_room_and_one_that_is_worked_for_does_not(server: Served) -> None:
    server.bounds.receive_seconds = 60
    working, writer = await server.connect()
    writer.write(CLOSING.replace(b"/", b"/wait", 1))
    await server.has(1)
    starts = [b"G", b"GET / HTTP/1.1\r\nHost", UP + b"Content-Length: 3\r\n\r\na"]
    for number in range(60):
        _, writer = await server.connect()
        writer.write(starts[number % 3])

    answer = await server.say(CLOSING)

    assert bodies(answer) == [b"hello"]
    assert bodies(await server.rest(working)) == [b"hello"]
    assert len(server.state.connections) <= 20


async def test_one_that_was_answered_before_its_body_came_makes_room_afterwards(server: Served) -> None:
    server.bounds.receive_seconds = server.bounds.tick = 60
    reader, writer = await server.connect()
    writer.write(UP.replace(b"/", b"/slow", 1) + b"Content-Length: 3\r\n\r\na")
    await reader.readuntil(b"begun")
    # Room is made meanwhile, and the one that is being answered stays.
    for _ in range(20):
        await server.connect()
    await reader.readuntil(b" and ended")
    for _ in range(20):
        await server.connect()

    assert await server.rest(reader) == b""


async def test_one_that_does_not_read_makes_room(server: Served) -> None:
    server.bounds.receive_seconds = server.bounds.send_seconds = 60
    for _ in range(20):
        await stopped(server, b"/kept")
    async with asyncio.timeout(10):
        while any(one.is_worked_for() for one in server.state.connections):  # type: ignore[union-attr]  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    assert bodies(await server.say(CLOSING)) == [b"hello"]


async def test_an_address_has_half_of_the_places_and_a_proxy_all(server: Served) -> None:
    server.bounds.receive_seconds = 60
    server.bounds.connections = Connections(20)
    for _ in range(15):
        await server.connect()
    await server.has(10)
    server.bounds.connections = Connections(20, ["127.0.0.0/8"])
    for _ in range(15):
        await server.connect()
    await server.has(25)


async def test_a_connection_that_ended_leaves_nothing_to_collect(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(3 * GET)
    for _ in range(3):
        await reader.readuntil(b"hello")
    gone = [weakref.ref(one) for one in server.state.connections]

    gc.disable()
    try:
        writer.close()
        await server.has(connections=0)
        await asyncio.sleep(SOON)
        assert [one() for one in gone] == [None]
    finally:
        gc.enable()
