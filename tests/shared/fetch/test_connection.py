from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.fetch.connection import MAX_HEAD, HandshakeFailed, HandshakeTimeout, SourceConnection
from shared.problems import SourceTooLarge, SourceUnreachable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


@contextlib.asynccontextmanager
async def connected(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[SourceConnection]:
    """Yield a connection to a server that behaves so, which is closed at the end."""
    tasks: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        with contextlib.suppress(OSError):
            await behaviour(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        connection = await SourceConnection.to("127.0.0.1", server.sockets[0].getsockname()[1], 5)
        yield connection
        await connection.aclose()
        await asyncio.gather(*(task for task in tasks if task))


def sends(*parts: bytes) -> Behaviour:
    """Wait for a line, then send *parts*."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        for part in parts:
            writer.write(part)
            await writer.drain()

    return behave


async def all_of(connection: SourceConnection) -> bytes:
    """Return all that comes."""
    parts = []
    while part := await connection.read(1 << 16):
        parts.append(part)
    return b"".join(parts)


async def writes_on(connection: SourceConnection) -> None:
    """Send without an end."""
    while True:
        await connection.write(b"x" * 100_000)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for h.example that signs itself, and its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=h.example", "-addext", "subjectAltName=DNS:h.example", "-keyout", path, "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_name("both.pem.crt").read_text())
    return path


@pytest.fixture
def serving(certificate: Path) -> ssl.SSLContext:
    """What a server speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    """What a client speaks TLS with that vouches for the certificate."""
    return ssl.create_default_context(cafile=certificate)


async def test_what_comes_before_a_body_is_bounded_and_the_body_is_not() -> None:
    async with connected(sends(b"h" * MAX_HEAD, b"b" * MAX_HEAD)) as connection:
        await connection.write(b"GET\n")
        head = b""
        while len(head) < MAX_HEAD:
            head += await connection.read(1 << 20)
        assert head == b"h" * MAX_HEAD, "no byte more, whatever is asked for"
        with pytest.raises(SourceTooLarge, match="98,304 bytes of headers"):
            await connection.read(1)

        connection.open()
        assert await all_of(connection) == b"b" * MAX_HEAD


async def test_a_connection_takes_one_request() -> None:
    async with connected(sends(b"answer")) as connection:
        await connection.write(b"GET")
        await connection.write(b"\n")
        assert await connection.read(100) == b"answer"

        with pytest.raises(httpx.LocalProtocolError, match="for one request"):
            await connection.write(b"GET\n")


@needs_openssl
async def test_ending_it_ends_tls_too(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with connected(sends(), serving) as connection:
        await connection.start_tls(trusting, "h.example", 5)

        connection.end()

        with pytest.raises(httpx.ReadError):
            await connection.read(1)


@needs_openssl
async def test_tls_that_ends_without_its_closing_alert_is_not_the_end_of_an_answer(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    """RFC 9112 §9.8: whoever can end the connection could else cut an answer off."""

    async def cuts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sends(b"half")(reader, writer)
        writer.get_extra_info("socket").shutdown(socket.SHUT_WR)
        await reader.read()

    async with connected(cuts, serving) as connection:
        await connection.start_tls(trusting, "h.example", 5)
        await connection.write(b"GET\n")
        assert await connection.read(100) == b"half"
        with pytest.raises(SourceUnreachable, match=r"closing alert \(close_notify\), so .* cut off"):
            await connection.read(100)


@needs_openssl
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda one: one.name)
@pytest.mark.parametrize("waits", [True, False], ids=["waits for the client's", "and for nothing more"])
async def test_tls_that_ends_with_its_closing_alert_is_the_end_of_an_answer(
    serving: ssl.SSLContext, trusting: ssl.SSLContext, version: ssl.TLSVersion, *, waits: bool
) -> None:
    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await sends(b"whole" * 100_000)(reader, writer)
        writer.close()
        if not waits:
            writer.get_extra_info("socket").shutdown(socket.SHUT_WR)

    trusting.maximum_version = version
    async with connected(ends, serving) as connection:
        await connection.start_tls(trusting, "h.example", 5)
        await connection.write(b"GET\n")
        connection.open()

        assert await all_of(connection) == b"whole" * 100_000


@needs_openssl
async def test_tls_is_metered_and_checks_the_name(serving: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    async with connected(sends(b"h" * (MAX_HEAD + 1)), serving) as connection:
        await connection.start_tls(trusting, "h.example", 5)
        assert connection._tls is not None
        assert connection._tls[1].get_extra_info("ssl_object").version() == "TLSv1.3"
        await connection.write(b"GET\n")
        with pytest.raises(SourceTooLarge):
            await all_of(connection)

    async with connected(sends(b""), serving) as connection:
        with pytest.raises(httpx.ConnectError, match=r"other\.example"):
            await connection.start_tls(trusting, "other.example", 5)


async def test_what_is_sent_before_the_handshake_is_no_answer() -> None:
    async def speaks_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        await reader.read()

    async with connected(speaks_first) as connection:
        with pytest.raises(httpx.ConnectError) as raised:
            await connection.start_tls(ssl.create_default_context(), "h.example", 5)

    assert isinstance(raised.value.__cause__, ssl.SSLError)


async def test_a_handshake_has_the_time_of_connecting() -> None:
    async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with connected(says_nothing) as connection:
        with pytest.raises(HandshakeTimeout):
            await connection.start_tls(ssl.create_default_context(), "h.example", 0.05)


async def test_a_server_that_ends_the_connection_in_the_handshake_was_there() -> None:
    async def ends(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)

    async with connected(ends) as connection:
        with pytest.raises(HandshakeFailed):
            await connection.start_tls(ssl.create_default_context(), "h.example", 5)


async def test_a_connection_that_breaks_is_told_apart_from_one_that_ends() -> None:
    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    async def ends(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readline()

    async with connected(ends) as connection:
        await connection.write(b"GET\n")
        assert await connection.read(1) == b""

    async with connected(breaks) as connection:
        await connection.write(b"GET\n")
        with pytest.raises(httpx.ReadError):
            await all_of(connection)

    async with connected(breaks) as connection:
        await connection.write(b"GET\n")
        with pytest.raises(httpx.WriteError):
            await writes_on(connection)


async def test_closing_one_that_was_not_used_leaves_no_socket_open() -> None:
    async def waits(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        gone.set_result(await reader.read())

    gone = asyncio.get_running_loop().create_future()
    async with connected(waits) as connection:
        await connection.aclose()
        async with asyncio.timeout(5):
            assert await gone == b""
