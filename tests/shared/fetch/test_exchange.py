from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.fetch.connection import SourceConnection
from shared.fetch.exchange import MAX_EVENT, Exchange
from shared.problems import SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.usefixtures("real_network")

REQUEST = httpx.URL("http://127.0.0.1:8000/a?b=c"), {"If-None-Match": '"x"'}


class Server:
    """Answers the first request with *answer*, and keeps what it was asked."""

    def __init__(self, answer: bytes, *, stays: bool = False) -> None:
        self._answer = answer
        self._stays = stays
        self.asked = b""
        self.heard = asyncio.Event()
        self.gone = asyncio.Event()

    @contextlib.asynccontextmanager
    async def exchange(self) -> AsyncIterator[Exchange]:
        """Yield an exchange with this server."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            exchange = Exchange(lambda _: SourceConnection.to("127.0.0.1", port, 5))
            yield exchange
            await exchange.aclose()
            async with asyncio.timeout(5):
                await self.gone.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked = await reader.read(1 << 16)
        self.heard.set()
        with contextlib.suppress(OSError):
            writer.write(self._answer)
            await writer.drain()
            if self._stays:
                await reader.read()
            writer.close()
            await writer.wait_closed()
        self.gone.set()


async def test_a_request_is_written_once_and_its_answer_brought_piece_by_piece() -> None:
    server = Server(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n')
    async with server.exchange() as exchange:
        response = await exchange.ask(*REQUEST)
        pieces = [piece async for piece in response.aiter_raw()]

    assert (response.status_code, response.headers["etag"]) == (200, '"x"')
    assert b"".join(pieces) == b"abc"
    first, *fields = server.asked.split(b"\r\n")
    assert first == b"GET /a?b=c HTTP/1.1"
    assert fields == [b"Host: 127.0.0.1:8000", b'If-None-Match: "x"', b"", b""]


async def test_interim_answers_come_before_the_answer() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"
    async with Server(interim + b"HTTP/1.1 304 Not Modified\r\n\r\n").exchange() as exchange:
        response = await exchange.ask(*REQUEST)

    assert response.status_code == 304


async def test_many_interim_answers_hold_up_nobody(turns: list[None]) -> None:
    server = Server(b"HTTP/1.1 100\r\n\r\n" * 4000 + b"HTTP/1.1 304\r\n\r\n")
    async with server.exchange() as exchange:
        assert (await exchange.ask(*REQUEST)).status_code == 304

    assert len(turns) > 4000


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"220 mail.example ESMTP\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: b\r\n", id="half a head"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="101"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"b" * MAX_EVENT + b"\r\n", id="a head without an end"),
    ],
)
async def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    async with Server(answer).exchange() as exchange:
        with pytest.raises((httpx.RemoteProtocolError, SourceTooLarge)):
            await exchange.ask(*REQUEST)



async def test_a_body_that_is_cut_off_is_no_body() -> None:
    async with Server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").exchange() as exchange:
        response = await exchange.ask(*REQUEST)

        with pytest.raises(httpx.RemoteProtocolError):
            await response.aread()


async def test_what_follows_an_answer_is_no_part_of_it_and_never_the_answer_to_another_request() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with Server(answer).exchange() as exchange:
        response = await exchange.ask(*REQUEST)
        assert await response.aread() == b"abc"

        with pytest.raises(httpx.LocalProtocolError, match="for one request"):
            await exchange.ask(*REQUEST)


async def test_a_server_that_answers_and_ends_before_it_was_asked_is_heard() -> None:
    """What it sent counts, although the request could not be written any more (RFC 9112 §9.3)."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connection = await SourceConnection.to("127.0.0.1", listening.getsockname()[1], 5)
        accepted, _ = listening.accept()
        accepted.sendall(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n")
        accepted.close()
        connection._socket.send(b"x")  # the answer to it tells the system that nobody reads at the other end
        exchange = Exchange(lambda _: _made(connection))

        response = await exchange.ask(*REQUEST)

        await exchange.aclose()
    assert response.status_code == 429


async def _made(connection: SourceConnection) -> SourceConnection:
    return connection


async def test_ending_it_wakes_whoever_waits_for_the_answer() -> None:
    server = Server(b"", stays=True)
    async with server.exchange() as exchange:
        waiting = asyncio.create_task(exchange.ask(*REQUEST))
        await server.heard.wait()

        exchange.end()

        async with asyncio.timeout(5):
            with pytest.raises(httpx.ReadError):
                await waiting


async def test_whoever_gives_up_leaves_no_socket_behind() -> None:
    server = Server(b"", stays=True)
    async with server.exchange() as exchange:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await exchange.ask(*REQUEST)

    assert server.gone.is_set(), "the server met the end of the connection"


async def test_one_that_never_connected_ends_and_closes_without_a_word() -> None:
    async def refuse(_: httpx.URL) -> SourceConnection:
        raise httpx.ConnectError("")

    exchange = Exchange(refuse)
    with pytest.raises(httpx.ConnectError):
        await exchange.ask(*REQUEST)

    exchange.end()
    await exchange.aclose()
