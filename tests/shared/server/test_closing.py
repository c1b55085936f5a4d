"""How connections end, on real sockets: no answer is lost, and nobody holds a connection by it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from shared.server import guard
from shared.server.guard import GuardedProtocol
from tests.shared.server.guarded import CLOSING, GET, SOON, UP, bodies, problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.shared.server.guarded import Served

WAIT = b"GET /wait HTTP/1.1\r\nHost: hub\r\n\r\n"
LARGE = b"GET /large HTTP/1.1\r\nHost: hub\r\n\r\n"
CHUNKS = UP + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def client(server: Served) -> Iterator[socket.socket]:
    """A socket of a client that reads when it wants to, connected."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as one:
        one.settimeout(0)
        yield one


async def received(client: socket.socket) -> bytes:
    """Return what comes until the server ends its direction."""
    answer = b""
    async with asyncio.timeout(10):
        while piece := await asyncio.get_running_loop().sock_recv(client, 65536):
            answer += piece
    return answer


@pytest.mark.parametrize(
    ("request_", "slug"),
    [
        (b"nonsense\r\n\r\n", "malformed-request"),
        (CHUNKS + b"xyz\r\n", "malformed-request"),
        (b"GET / HTTP/1.1\r\nHost: hub\r\nX: " + b"x" * 3000, "head-too-large"),
        (b"CONNECT hub:80 HTTP/1.1\r\nHost: hub\r\n\r\n", "method-not-allowed"),
        (UP + b"Content-Length: 9000000\r\n\r\n", "request-timeout"),
        (CLOSING, None),
    ],
    ids=["no request", "no chunk", "a head", "a tunnel", "a time", "no refusal"],
)
async def test_a_client_that_still_sends_gets_its_answer(
    server: Served, client: socket.socket, request_: bytes, slug: str | None
) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, request_)
    answer = await loop.sock_recv(client, 1)

    for _ in range(20):
        await loop.sock_sendall(client, b"x" * 50_000)
    answer += await received(client)

    if slug is None:
        assert bodies(answer) == [b"hello"]
    else:
        problem(answer, slug)
    client.close()
    await server.has(0)


async def test_requests_that_are_not_taken_cost_the_others_no_answer(client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, WAIT + 5000 * GET)
    answer = await loop.sock_recv(client, 1)
    for _ in range(20):
        await loop.sock_sendall(client, 1000 * GET)

    assert bodies(answer + await received(client)) == [b"hello"] * (1 + guard.MOST_WAITING)


async def test_one_that_never_stops_sending_is_reset(server: Served, client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(client, b"nonsense\r\n\r\n")

    with pytest.raises(ConnectionError):
        await loop.sock_sendall(client, b"x" * 100_000_000)
    await server.has(0)


async def test_one_that_never_closes_is_let_go(server: Served, client: socket.socket) -> None:
    await asyncio.get_running_loop().sock_sendall(client, b"nonsense\r\n\r\n")

    problem(await received(client), "malformed-request")
    await server.has(0)


async def test_those_that_are_closing_make_room_first(server: Served) -> None:
    server.bounds.linger_seconds = 60
    server.bounds.receive_seconds = 60
    closing_ones = [await server.connect() for _ in range(20)]
    for reader, writer in closing_ones:
        writer.write(b"nonsense\r\n\r\n")
        problem(await server.rest(reader), "malformed-request")
    await server.has(20)

    reader, writer = await server.connect()
    writer.write(GET)

    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 OK")
    assert len(server.state.connections) <= 20


@pytest.mark.parametrize(
    ("bad", "slug"),
    [
        (b"nonsense\r\n\r\n", "malformed-request"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed-request"),
        (CHUNKS + b"3\r\nabc\r\nxyz\r\n", "malformed-request"),
        (GET[:-2] + 101 * b"A: b\r\n" + b"\r\n", "head-too-large"),
        (b"CONNECT hub:80 HTTP/1.1\r\nHost: hub\r\n\r\n", "method-not-allowed"),
        (UP + b"Content-Length: 999\r\n\r\nabc", "request-timeout"),
    ],
    ids=["no request", "no host", "no chunk", "fields", "a tunnel", "cut off"],
)
@pytest.mark.parametrize("good", [GET, WAIT, WAIT + GET + WAIT], ids=["one", "one that takes time", "three"])
async def test_requests_before_a_bad_one_get_their_answers_first(
    server: Served, good: bytes, bad: bytes, slug: str
) -> None:
    count = good.count(b"GET")
    for pieces in ((good + bad, GET), (good, bad, GET)):
        answer = await server.say(*pieces)

        last = answer.rindex(b"HTTP/1.1 ")
        assert bodies(answer[:last]) == [b"hello"] * count
        problem(answer[last:], slug)


BAD = b"GET / HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: gzip\r\n\r\n"


@pytest.mark.parametrize("good", [GET, WAIT, WAIT + GET + WAIT, LARGE + GET], ids=["one", "slow", "three", "large"])
@pytest.mark.parametrize("how", ["the client ends its direction", "the server stops", "both"])
async def test_a_refusal_behind_answers_that_are_due_is_not_lost_at_an_end(
    server: Served, good: bytes, how: str
) -> None:
    reader, writer = await server.connect()
    writer.write(good + BAD)
    await server.has(1)
    [one] = server.state.connections
    assert isinstance(one, GuardedProtocol)
    if how != "the client ends its direction":
        async with asyncio.timeout(5):
            while one.cycle is None:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0)
        one.shutdown()
    if how != "the server stops":
        writer.write_eof()
    answer = await server.rest(reader)

    last = answer.rindex(b"HTTP/1.1 ")
    assert len(bodies(answer[:last])) == good.count(b"GET")
    problem(answer[last:], "malformed-request")
    await server.has(0)


@pytest.mark.parametrize("good", [GET, WAIT, WAIT + GET, LARGE, LARGE + WAIT], ids=lambda good: f"{good.split()[1]!r}")
@pytest.mark.parametrize(
    "cut",
    [b"GET / HT", UP + b"Content-Length: 3\r\n\r\na", UP.replace(b"/", b"/early", 1) + b"Content-Length: 3\r\n\r\na"],
    ids=["a head", "a body", "the body of one that is answered before"],
)
async def test_a_client_that_ends_amid_a_request_gets_the_answers_to_those_before(
    server: Served, good: bytes, cut: bytes
) -> None:
    reader, writer = await server.connect()
    writer.write(good + cut)
    writer.write_eof()

    answers = bodies(await server.rest(reader))
    assert answers[good.count(b"GET") :] in ([], [b"early"])
    assert [len(one) for one in answers[: good.count(b"GET")]] == [
        30_000_000 if path == b"/large" else 5 for path in good.split()[1::5]
    ]
    await server.has(0)


async def test_a_request_that_was_answered_gets_no_refusal_as_well(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(UP.replace(b"/", b"/early", 1) + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    answer = await reader.readuntil(b"early")
    writer.write(b"xyz\r\n")

    assert bodies(answer + await server.rest(reader)) == [b"early"]


async def test_an_answer_that_has_begun_is_not_cut_by_a_refusal(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(UP.replace(b"/", b"/slow", 1) + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    answer = await reader.readuntil(b"begun")
    writer.write(b"xyz\r\n")

    assert bodies(answer + await server.rest(reader)) == [b"begun and ended"]


async def test_whoever_reads_a_body_learns_that_the_rest_is_refused(server: Served) -> None:
    problem(await server.say(CHUNKS + b"3\r\nabc\r\nxyz\r\n"), "malformed-request")

    async with asyncio.timeout(5):
        while server.state.tasks:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("path", [b"/early", b"/"], ids=["unread", "read"])
async def test_no_body_stays_with_a_connection_that_waits_for_the_next_request(server: Served, path: bytes) -> None:
    reader, writer = await server.connect()
    size = 60_000
    head = UP.replace(b"/", path, 1) + b"Content-Length: %d\r\n\r\n" % size
    writer.write(head + b"x" * size)
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(len(b"early") if path == b"/early" else size)

    (one,) = server.state.connections
    assert isinstance(one, GuardedProtocol)
    assert (one.is_idle(), len(one.cycle.body)) == (True, 0)


@pytest.mark.parametrize("size", [60_000, 90_000], ids=["the whole of it", "a part of it"])
async def test_no_body_stays_for_a_client_that_has_gone_while_the_hub_works_for_it(server: Served, size: int) -> None:
    _, writer = await server.connect()
    writer.write(WAIT[:-2] + b"Content-Length: %d\r\n\r\n" % size + b"x" * 60_000)
    await server.has(1)
    [one] = server.state.connections
    assert isinstance(one, GuardedProtocol)
    async with asyncio.timeout(5):
        while one.cycle is None or len(one.cycle.body) < 60_000:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0)
    cycle = one.cycle
    # With a reset, and not only an end.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await server.has(0)

    assert (len(cycle.body), len(server.state.tasks)) == (0, 1)


@pytest.mark.parametrize("behind", [b"", GET, UP + b"Content-Length: 9\r\n\r\nabc"], ids=["none", "one", "a part"])
async def test_an_answer_ends_with_its_client_also_where_requests_wait_behind_it(server: Served, behind: bytes) -> None:
    reader, writer = await server.connect()
    writer.write(b"GET /endless HTTP/1.1\r\nHost: hub\r\n\r\n" + behind)
    await reader.readuntil(b"xxx")
    writer.transport.abort()

    await server.has(0)
    async with asyncio.timeout(5):
        while server.state.tasks:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)


async def test_a_client_that_ends_its_direction_still_gets_its_answers(server: Served) -> None:
    for sent, count in ((CLOSING, 1), (WAIT, 1), (WAIT + GET + GET, 3)):
        reader, writer = await server.connect()
        writer.write(sent)
        writer.write_eof()

        assert bodies(await server.rest(reader)) == [b"hello"] * count
        await server.has(0)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", UP + b"Content-Length: 3\r\n\r\na"], ids=["", "a head", "a body"])
async def test_a_client_that_ends_amid_a_request_gets_none(server: Served, sent: bytes) -> None:
    server.bounds.receive_seconds = 60
    reader, writer = await server.connect()
    writer.write(sent)
    writer.write_eof()

    assert await server.rest(reader) == b""
    await server.has(0)


async def test_the_time_in_which_the_hub_does_not_read_is_not_the_clients(server: Served) -> None:
    wait = WAIT.replace(b"/wait", b"/wait?longer", 1)
    reader, writer = await server.connect()
    writer.write(wait + GET + CLOSING[:9])
    await reader.readuntil(b"HTTP")
    writer.write(CLOSING[9:])

    assert b"request-timeout" not in await server.rest(reader)


async def test_an_answer_instead_of_the_word_to_go_on_ends_the_connection(server: Served) -> None:
    early = UP.replace(b"/", b"/early", 1) + b"Expect: 100-continue\r\nContent-Length: 70\r\n\r\n"

    reader, writer = await server.connect()
    writer.write(early)
    answer = await reader.readuntil(b"early")
    writer.write(GET + GET)

    assert b"\r\nconnection: close\r\n" in answer
    assert bodies(answer + await server.rest(reader)) == [b"early"]
    # A body that came all the same leaves no doubt.
    assert bodies(await server.say(early + b"x" * 70 + CLOSING)) == [b"early", b"hello"]


async def test_an_answer_that_said_that_the_connection_ends_ends_it_whatever_came_meanwhile(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(UP.replace(b"/", b"/slow", 1) + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    answer = await reader.readuntil(b"begun")
    writer.write(b"abc" + GET)

    _, _, answer = answer.rpartition(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert b"\r\nconnection: close\r\n" in answer
    assert bodies(answer + await server.rest(reader)) == [b"begun and ended"]


async def test_a_server_that_stops_answers_what_is_under_way_and_ends_what_is_idle(server: Served) -> None:
    idle, _ = await server.connect()
    reader, writer = await server.connect()
    writer.write(WAIT)
    await server.has(2)
    async with asyncio.timeout(5):
        while not server.state.tasks:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)
    for one in list(server.state.connections):
        one.shutdown()

    assert await server.rest(idle) == b""
    assert bodies(await server.rest(reader)) == [b"hello"]


async def test_an_idle_connection_ends_without_waiting_for_the_client(
    server: Served, client: socket.socket
) -> None:
    server.bounds.linger_seconds = 600
    server.bounds.idle_seconds = SOON
    await asyncio.get_running_loop().sock_sendall(client, GET)

    assert bodies(await received(client)) == [b"hello"]
    await server.has(0)


async def test_the_next_request_begins_when_the_last_answer_has_left(server: Served) -> None:
    server.bounds.send_seconds = 60
    reader, writer = await server.connect()
    writer.write(LARGE + b"".join([GET, LARGE, CLOSING]))
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(2 * SOON)

    # Of those that wait none holds an answer of its own.
    assert [len(server.state.tasks), len(server.bounds.unread._bodies)] == [0, 1]
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    answers = await server.rest(reader)
    assert answers.count(b"HTTP/1.1 200 OK") == 3
    assert len(answers.replace(b"x", b"")) < 1000


async def test_a_request_that_is_refused_while_it_waits_for_its_turn_is_not_begun(server: Served) -> None:
    server.bounds.send_seconds = 60
    reader, writer = await server.connect()
    writer.write(LARGE)
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(CHUNKS + b"3\r\nabc\r\nxyz\r\n")
    await asyncio.sleep(SOON)
    writer.transport.resume_reading()  # type: ignore[attr-defined]

    answer = (await server.rest(reader)).lstrip(b"x")
    problem(answer, "malformed-request")


async def test_the_time_without_a_request_counts_from_the_end_of_reading(server: Served) -> None:
    server.bounds.send_seconds = 60
    reader, writer = await server.connect()
    writer.write(LARGE)
    await reader.readuntil(b"\r\n\r\n")
    server.bounds.idle_seconds = 0.0
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(2 * SOON)
    server.bounds.idle_seconds = 60
    writer.transport.resume_reading()  # type: ignore[attr-defined]

    await reader.readexactly(30_000_000)
    writer.write(CLOSING)
    assert bodies(await server.rest(reader)) == [b"hello"]


async def test_a_client_that_ends_its_direction_gets_all_of_a_large_answer(server: Served) -> None:
    for request in (LARGE, LARGE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")):
        reader, writer = await server.connect()
        writer.write(request)
        await reader.readuntil(b"\r\n\r\n")
        writer.write_eof()

        assert len(await server.rest(reader)) == 30_000_000
        await server.has(0)


async def test_a_server_that_stops_lets_a_large_answer_be_read(server: Served) -> None:
    reader, writer = await server.connect()
    writer.write(LARGE)
    await reader.readuntil(b"\r\n\r\n")
    (one,) = server.state.connections
    one.shutdown()

    assert len(await server.rest(reader)) == 30_000_000
