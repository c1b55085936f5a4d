from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared.fetch.connection import HandshakeFailed, HandshakeTimeout
from shared.fetch.guard import Guard
from shared.fetch.network import Connector, Origins, explained
from shared.fetch.talk import TalkTime
from shared.problems import AddressRefused, Overloaded, Problem, SourceTimeout, SourceUnreachable
from tests.builders import Hands
from tests.shared.fetch.hostile import INDEX, Hostile, answer, head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

pytestmark = pytest.mark.usefixtures("real_network")


TRUSTING = Guard(["127.0.0.0/8"])


@pytest.fixture
async def listening() -> AsyncIterator[int]:
    """The port of a server at 127.0.0.1 alone that sends a line."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"#" * 1000)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def connected(guard: Guard, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Connect to *port* of *host*, and yield the address that it came to."""
    connection = await Connector(guard, 4).connect(httpx.URL(f"http://{host}:{port}"))
    yield connection._socket.getpeername()
    await connection.aclose()


async def test_the_checked_address_is_the_one_connected_to(listening: int, answers: Callable[..., list[str]]) -> None:
    asked = answers("127.0.0.1")

    async with connected(TRUSTING, "rebinding.example", listening) as address:
        assert address == ("127.0.0.1", listening)

    assert asked == ["rebinding.example."], "one look-up, whose answer is used"


async def test_a_refused_address_is_never_contacted(source: Hostile) -> None:
    with pytest.raises(AddressRefused):
        await Connector(Guard()).connect(httpx.URL(source.url("/")))

    assert source.connections == 0


async def test_the_next_address_is_tried_when_one_does_not_answer(
    listening: int, answers: Callable[..., list[str]]
) -> None:
    answers("127.0.0.2", "127.0.0.1")

    async with connected(TRUSTING, "h.example", listening) as address:
        assert address == ("127.0.0.1", listening)


async def test_the_last_failure_is_the_one_told(listening: int, answers: Callable[..., list[str]]) -> None:
    answers("127.0.0.2", "127.0.0.3")

    with pytest.raises(httpx.ConnectError):
        await Connector(TRUSTING, 1).connect(httpx.URL(f"http://h.example:{listening}"))


NO_ADDRESS = "the machine has no address of the kind"


@pytest.mark.parametrize(
    ("failures", "kind", "says"),
    [
        pytest.param({"127.0.0.2": errno.EMFILE, "127.0.0.3": None}, Overloaded, "open files", id="files, refused"),
        pytest.param({"127.0.0.2": None, "::1": errno.ENOBUFS}, Overloaded, "memory", id="refused, then memory"),
        pytest.param({"127.0.0.2": errno.EADDRNOTAVAIL, "127.0.0.3": errno.ENETUNREACH, "127.0.0.4": None}, Overloaded,
                     "local ports", id="ports, no route, refused"),
        pytest.param({"::1": errno.EADDRNOTAVAIL}, Overloaded, "local ports", id="no port for IPv6"),
        pytest.param({"127.0.0.2": None, "::2": NO_ADDRESS}, SourceUnreachable, "No server", id="refused, no IPv6"),
        pytest.param({"::2": NO_ADDRESS, "127.0.0.2": errno.EMFILE}, Overloaded, "open files", id="no IPv6, files"),
        pytest.param({"::2": NO_ADDRESS}, SourceUnreachable, "No server", id="IPv6 alone, and none here"),
        pytest.param({"127.0.0.2": NO_ADDRESS}, SourceUnreachable, "No server", id="IPv4 alone, and none here"),
    ],
)  # fmt: skip
async def test_what_the_machine_lacks_for_one_address_is_not_hidden_by_another(
    failures: dict[str, Any],
    kind: type[Problem],
    says: str,
    answers: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the machine has no address for fails for UDP too; None lets the system itself refuse the connection."""
    answers(*failures)
    loop = asyncio.get_running_loop()
    connect, probe = loop.sock_connect, socket.socket.connect

    async def connect_or_fail(connecting: socket.socket, server: tuple[str, int]) -> None:
        failure = failures[server[0]]
        if failure:
            raise OSError(errno.EADDRNOTAVAIL if failure == NO_ADDRESS else failure, "")
        await connect(connecting, server)

    def probe_or_fail(probing: socket.socket, server: tuple[str, int]) -> None:
        if failures[server[0]] == NO_ADDRESS:
            raise OSError(errno.EADDRNOTAVAIL, "")
        probe(probing, server)

    monkeypatch.setattr(loop, "sock_connect", connect_or_fail)
    monkeypatch.setattr(socket.socket, "connect", probe_or_fail)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = httpx.URL(f"http://h.example:{closed.getsockname()[1]}/")
        async with Origins(Connector(Guard(["127.0.0.0/8", "::/64"])), 4).use(url) as transport:
            with pytest.raises(httpx.ConnectError) as raised:
                await transport.ask(url, {})

    problem = explained(raised.value, 10.0)
    assert type(problem) is kind
    assert says in problem.detail


async def test_ipv4_and_ipv6_take_turns_so_that_one_broken_family_hides_no_address(
    listening: int, answers: Callable[..., list[str]]
) -> None:
    answers("::2", "::3", "::4", "::5", "::6", "127.0.0.1")

    async with connected(Guard(["127.0.0.0/8", "::/64"]), "h.example", listening) as address:
        assert address == ("127.0.0.1", listening)


async def test_every_request_of_an_origin_has_a_connection_of_its_own(source: Hostile) -> None:
    origins, url = Origins(Connector(TRUSTING), 4), httpx.URL(source.at("/", answer(body=INDEX)))

    async with origins.use(url) as first, origins.use(url) as second:
        for transport in (first, second):
            response = await transport.ask(url, {})
            await response.aread()
            await response.aclose()
        with pytest.raises(httpx.LocalProtocolError, match="for one request"):
            await first.ask(url, {})

    assert source.connections == 2


async def test_a_place_at_an_origin_is_waited_for(source: Hostile) -> None:
    origins, url = Origins(Connector(TRUSTING), 1), httpx.URL(source.url("/"))

    async def second() -> None:
        async with origins.use(url):
            pass

    async with origins.use(url):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.01)
        assert not waiting.done()
    await waiting


async def test_one_owner_leaves_the_others_a_connection(source: Hostile) -> None:
    origins, url, clock = Origins(Connector(TRUSTING), 2), httpx.URL(source.url("/")), Hands().clock()

    async def use(owner: str) -> None:
        async with origins.use(url, TalkTime(clock, owner)):
            await asyncio.sleep(0.01)

    async with origins.use(url, TalkTime(clock, "many")), origins.use(url, TalkTime(clock, "many")):
        third = asyncio.create_task(use("many"))
        async with asyncio.timeout(5):
            await use("other")
        assert not third.done()
    await third
    assert origins._origins == {}


async def test_closing_ends_the_connections_of_those_who_still_use_them(source: Hostile) -> None:
    origins, url = Origins(Connector(TRUSTING), 4), httpx.URL(source.at("/", answer(body=INDEX, length=9999)))

    async with origins.use(url) as transport:
        response = await transport.ask(url, {})

        origins.close()

        with pytest.raises(httpx.ReadError):
            await response.aread()


async def test_closing_makes_no_whole_answer_of_one_that_ends_with_its_connection(source: Hostile) -> None:
    origins, url = Origins(Connector(TRUSTING), 4), httpx.URL(source.at("/", head() + INDEX))

    async with origins.use(url) as transport:
        response = await transport.ask(url, {})
        pieces = response.aiter_raw()
        assert await anext(pieces) == INDEX

        origins.close()

        with pytest.raises(httpx.ReadError):
            await anext(pieces)


def expired() -> ssl.SSLCertVerificationError:
    """Return what OpenSSL says of a certificate that has expired."""
    fault = ssl.SSLCertVerificationError(1, "verify failed")
    fault.verify_code, fault.verify_message = 10, "certificate has expired"
    return fault


def mismatched(code: int) -> ssl.SSLCertVerificationError:
    """Return what OpenSSL says of a certificate for something else: it repeats what the client asked for."""
    fault = ssl.SSLCertVerificationError(1, "verify failed")
    fault.verify_code, fault.verify_message = code, "Mismatch, certificate is not valid for '220.corp.example'"
    return fault


@pytest.mark.parametrize(
    ("fault", "cause", "kind", "says"),
    [
        (httpx.ConnectError, expired(), SourceUnreachable, "certificate is not valid: certificate has expired."),
        (httpx.ConnectError, ssl.SSLError(1, "wrong version"), SourceUnreachable, "must speak https, with TLS 1.2"),
        (httpx.ConnectError, OSError(errno.ECONNREFUSED, ""), SourceUnreachable, "No server accepts connections"),
        (httpx.ConnectError, OSError(errno.EMFILE, ""), Overloaded, "has no open files left"),
        (httpx.ConnectError, OSError(errno.EADDRNOTAVAIL, ""), Overloaded, "has no local ports left"),
        (httpx.ReadError, MemoryError(), Overloaded, "has no memory left"),
        (httpx.ConnectError, mismatched(62), SourceUnreachable, "is not valid: it is for another name."),
        (httpx.ConnectError, mismatched(64), SourceUnreachable, "is not valid: it is for another address."),
        (httpx.ConnectTimeout, None, SourceTimeout, "No connection to the URL's host and port within 10 s."),
        (HandshakeTimeout, None, SourceTimeout, "completed no TLS handshake within 10 s. The port must speak https"),
        (HandshakeFailed, OSError(errno.ECONNRESET, ""), SourceUnreachable, "during the TLS handshake. The port"),
        (HandshakeFailed, OSError(errno.ENOBUFS, ""), Overloaded, "has no memory left"),
        (httpx.ReadTimeout, None, SourceTimeout, "took too long"),
        (httpx.RemoteProtocolError, None, SourceUnreachable, "is not HTTP/1.1"),
        (httpx.ReadError, OSError(errno.ECONNRESET, ""), SourceUnreachable, "broke before the answer was complete"),
        (httpx.DecodingError, None, SourceUnreachable, r"could not be read \(DecodingError\)"),
    ],
)
def test_each_failure_is_told_by_its_kind_and_without_what_the_source_sent(
    fault: type[httpx.HTTPError], cause: Exception | None, kind: type[Problem], says: str
) -> None:
    raised = fault("220 mail.example ESMTP")
    raised.__cause__ = cause

    problem = explained(raised, 10.0)

    assert type(problem) is kind
    assert says.replace(r"\(", "(").replace(r"\)", ")") in problem.detail
    assert "220" not in problem.detail
