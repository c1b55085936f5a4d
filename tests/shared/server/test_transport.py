"""What is written to a socket, and how that ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from shared.server.transport import ClosingTransport
from shared.server.unread import SLICE_BYTES, UnsentBodies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class User(asyncio.Protocol):
    """Writes on when it is told to, as a connection does, and notes when all is written and when it is lost."""

    def __init__(self) -> None:
        self.lost, self.written = asyncio.Event(), asyncio.Event()
        self.written.set()
        self.transport: ClosingTransport | None = None

    def connection_lost(self, _: Exception | None) -> None:
        """Note it."""
        self.lost.set()

    def pause_writing(self) -> None:
        """Note that something waits."""
        self.written.clear()

    def resume_writing(self) -> None:
        """Write on."""
        if self.transport is not None and self.transport.write_on():
            self.written.set()


class Pair:
    """A transport, what is counted of it, and the socket of a client that reads when it wants to."""

    def __init__(self, client: socket.socket, inner: asyncio.Transport, user: User, unread: UnsentBodies) -> None:
        self.client, self.inner, self.user, self.unread = client, inner, user, unread
        self.transport = user.transport = ClosingTransport(inner, user, unread)

    async def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer where the connection ends."""
        got = bytearray()
        async with asyncio.timeout(20):
            while len(got) < size and (piece := await asyncio.get_running_loop().sock_recv(self.client, 65536)):
                got += piece
        return bytes(got)


@pytest.fixture
async def pair(real_network: None) -> AsyncIterator[Pair]:
    """A connection on which at most a megabyte may wait."""
    del real_network
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        client = socket.create_connection(listening.getsockname())
        taken, _ = listening.accept()
    client.settimeout(0)
    inner, user = await asyncio.get_running_loop().connect_accepted_socket(User, taken)
    one = Pair(client, inner, user, UnsentBodies(2**20, 10))
    yield one
    one.transport.abort()
    client.close()
    await asyncio.wait_for(user.lost.wait(), 10)


BODY = bytes(range(256)) * 80_000


async def test_a_large_body_is_written_in_slices_and_not_copied(pair: Pair) -> None:
    pair.transport.write(BODY)

    assert not pair.user.written.is_set()
    async with asyncio.timeout(20):
        while not pair.inner.get_write_buffer_size():  # noqa: ASYNC110 - the socket tells nobody
            await asyncio.sleep(0)
    assert 0 < pair.inner.get_write_buffer_size() <= SLICE_BYTES
    assert pair.unread._copied == pair.inner.get_write_buffer_size()
    assert pair.transport.get_write_buffer_size() > 10_000_000
    assert await pair.read(len(BODY)) == BODY
    await asyncio.wait_for(pair.user.written.wait(), 10)
    assert (pair.unread._copied, pair.unread._bytes, pair.transport.get_write_buffer_size()) == (0, 0, 0)


async def test_what_the_socket_takes_at_once_is_written_in_one_piece(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.inner.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 200_000)
    slices: list[int] = []
    monkeypatch.setattr(pair.inner, "write", lambda data: slices.append(len(data)))

    pair.transport.write(BODY[: SLICE_BYTES + 1000])

    assert slices == []
    assert pair.transport.get_write_buffer_size() == 0
    assert await pair.read(SLICE_BYTES + 1000) == BODY[: SLICE_BYTES + 1000]


async def test_what_the_socket_does_not_take_for_now_comes_in_slices(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_nothing(_handle: int, _data: memoryview) -> int:
        raise BlockingIOError

    monkeypatch.setattr("shared.server.transport.os.write", take_nothing)

    pair.transport.write(BODY)

    assert await pair.read(len(BODY)) == BODY
    await asyncio.wait_for(pair.user.written.wait(), 10)
    assert (pair.unread._copied, pair.unread._bytes) == (0, 0)


async def test_small_pieces_that_are_not_taken_count_too(pair: Pair) -> None:
    written = 0
    while pair.user.written.is_set():
        pair.transport.write(b"a" * 10_000)
        written += 10_000

    assert 0 < pair.unread._copied == pair.inner.get_write_buffer_size() <= 10_000
    assert await pair.read(written) == b"a" * written
    await asyncio.wait_for(pair.user.written.wait(), 10)
    assert pair.unread._copied == 0


async def test_what_follows_comes_behind_it(pair: Pair) -> None:
    for data in (BODY, b"", b"second", memoryview(b"third"), BODY):
        pair.transport.write(data)
    pair.transport.close()
    pair.transport.write(b"nobody reads this")

    assert await pair.read(len(BODY) * 3) == BODY + b"secondthird" + BODY
    pair.client.close()
    await asyncio.wait_for(pair.user.lost.wait(), 10)


async def test_a_client_that_reads_as_fast_as_it_comes_leaves_others_their_turn(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def take_all(_handle: int, data: memoryview) -> int:
        sent.append(len(data))
        return len(data)

    monkeypatch.setattr("shared.server.transport.os.write", take_all)

    pair.transport.write(BODY)
    assert sent == [2**20]
    await asyncio.wait_for(pair.user.written.wait(), 10)

    assert sum(sent) == len(BODY)


@pytest.mark.parametrize("how", ["abort", "lost", "end"])
async def test_nothing_counts_any_more_when_it_has_ended(pair: Pair, how: str) -> None:
    pair.transport.write(BODY)
    if how == "end":
        pair.transport.end()
        assert await pair.read(2 * len(BODY)) == BODY
        await asyncio.wait_for(pair.user.lost.wait(), 10)
    else:
        pair.inner.abort()
        getattr(pair.transport, how)()
        pair.transport.write(b"more")

    assert (pair.unread._copied, pair.unread._bytes, pair.unread._readers, pair.unread._bodies) == (0, 0, {}, {})


async def test_a_client_that_is_gone_is_written_nothing(pair: Pair) -> None:
    pair.transport.write(BODY)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.client.close()
    await asyncio.wait_for(pair.user.lost.wait(), 10)
    pair.transport.write(BODY)
    pair.transport.lost()

    assert (pair.transport.is_closing(), pair.transport.get_write_buffer_size(), pair.unread._bodies) == (True, 0, {})


async def test_a_client_that_goes_amid_a_body_is_a_connection_that_is_lost_once(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    pair.transport.write(BODY)
    resume = pair.user.resume_writing

    def break_off() -> None:
        # The client resets the connection, which the write meets that comes with the word that there is room.
        if pair.client.fileno() >= 0:
            pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            pair.client.close()
        resume()

    async with asyncio.timeout(20):
        while not pair.inner.get_write_buffer_size():  # noqa: ASYNC110 - the socket tells nobody
            await asyncio.sleep(0)
        pair.user.resume_writing = break_off  # type: ignore[method-assign]
        while pair.client.fileno() >= 0:
            with contextlib.suppress(BlockingIOError):
                pair.client.recv(100_000)
            await asyncio.sleep(0)
    await asyncio.wait_for(pair.user.lost.wait(), 10)
    await asyncio.sleep(0)

    assert caplog.records == []
    assert (pair.transport.get_write_buffer_size(), pair.unread._copied) == (0, 0)


async def test_a_connection_that_the_client_has_reset_ends_at_once(pair: Pair) -> None:
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    pair.transport.pause_reading()
    pair.client.close()

    pair.transport.close()
    pair.transport.writelines([b"nobody reads", b"this"])
    pair.transport.pause_reading()

    await asyncio.wait_for(pair.user.lost.wait(), 5)
    assert pair.transport.is_closing()
