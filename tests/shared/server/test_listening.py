from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import Any

import pytest

from shared.problems import StartError
from shared.server import listening
from shared.server.listening import Handles, bind, described, url_of


def reached(port: int, address: str) -> bool:
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)) as client:
        return client.connect_ex((address, port)) == 0


@pytest.mark.parametrize("host", ["::", "", "*"])
def test_one_host_is_every_address_of_both_families(host: str) -> None:
    [one] = bind(host, 0)
    with one:
        port = one.getsockname()[1]
        assert reached(port, "127.0.0.1")
        assert reached(port, "::1")
        assert url_of(host, [one]) == f"http://127.0.0.1:{port}"
        assert described([one]) == f"[::]:{port}"


def test_where_there_is_no_ipv6_it_is_every_address_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket.bind

    def refuse(one: socket.socket, address: Any) -> None:
        if one.family == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, os.strerror(errno.EADDRNOTAVAIL))
        real(one, address)

    monkeypatch.setattr(socket.socket, "bind", refuse)
    [one] = bind("::", 0)
    with one:
        assert one.getsockname()[0] == "0.0.0.0"


def test_one_address_is_that_one_alone() -> None:
    [one] = bind("::1", 0)
    with one:
        assert not reached(one.getsockname()[1], "127.0.0.1")
        assert url_of("::1", [one]) == f"http://[::1]:{one.getsockname()[1]}"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::"])
async def test_what_is_accepted_sends_each_part_of_an_answer_at_once(real_network: None, host: str) -> None:
    del real_network
    accepted = asyncio.Queue[int]()

    async def note(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        one = writer.get_extra_info("socket")
        accepted.put_nowait(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    [one] = bind(host, 0)
    async with await asyncio.start_server(note, sock=one):
        _, client = await asyncio.open_connection("127.0.0.1" if host == "127.0.0.1" else "::1", one.getsockname()[1])
        assert await accepted.get() == 1
        client.close()
        await client.wait_closed()


async def test_a_handle_that_can_not_be_had_is_asked_for_once_at_a_time_and_then_again(
    real_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del real_network
    faults: list[BaseException] = []
    failed, reached_it = asyncio.Event(), asyncio.Event()
    monkeypatch.setattr("asyncio.constants.ACCEPT_RETRY_DELAY", 0.01)

    def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        faults.append(context["exception"])
        failed.set()

    asyncio.get_running_loop().set_exception_handler(note)

    async def come(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()
        reached_it.set()

    def refuse(_: socket.socket) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    [one] = bind("127.0.0.1", 0)
    with monkeypatch.context() as refusing:
        refusing.setattr(socket.socket, "accept", refuse)
        server = await asyncio.start_server(come, sock=one, backlog=2048)
        _, client = await asyncio.open_connection("127.0.0.1", one.getsockname()[1])
        await asyncio.wait_for(failed.wait(), 30)
        # asyncio alone tries 2,048 times in one turn of the loop.
        assert len(faults) == 1
    async with server:
        await asyncio.wait_for(reached_it.wait(), 30)
        client.close()
        await client.wait_closed()


async def test_no_more_connections_are_accepted_than_there_are_handles_for(real_network: None) -> None:
    del real_network
    taken: list[asyncio.StreamWriter] = []
    come = asyncio.Semaphore(0)

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(writer)
        come.release()

    handles = Handles()
    handles.most = 3
    [one] = bind("127.0.0.1", 0, handles)
    async with await asyncio.start_server(keep, sock=one):
        clients = [await asyncio.open_connection("127.0.0.1", one.getsockname()[1]) for _ in range(5)]
        for _ in range(3):
            await asyncio.wait_for(come.acquire(), 10)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (len(taken), handles.are_taken()) == (3, True)

        # Those that are closed leave their places to those that wait.
        for writer in taken[:2]:
            writer.transport.abort()
        for _ in range(2):
            await asyncio.wait_for(come.acquire(), 10)
        for writer in (*taken, *(writer for _, writer in clients)):
            writer.transport.abort()
        await asyncio.sleep(0.01)
        assert not handles.are_taken()


def test_a_handle_of_which_nobody_takes_care_is_counted_no_longer_than_it_is_there(real_network: None) -> None:
    del real_network
    handles = Handles()
    handles.most = 1
    with contextlib.closing(socket.socket()) as other:
        one = handles.take(socket.socket(fileno=other.dup().detach()))
        assert handles.are_taken()
        one.detach()
        del one
        assert not handles.are_taken()


def test_a_client_that_reads_nothing_costs_the_system_little(real_network: None) -> None:
    del real_network
    [one] = bind("127.0.0.1", 0)
    with one, contextlib.closing(socket.create_connection(one.getsockname())):
        accepted, _ = one.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 131072


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("127.0.0.1", 99999, "--port 99999 is no port; choose one from 1 to 65535"),
        ("127.0.0.1", -1, "--port -1 is no port"),
        ("203.0.113.9", 0, "--host 203.0.113.9 is no address of this machine"),
        ("nobody.invalid", 0, "--host nobody.invalid: .*Give an address of this machine"),
        ("a" * 70 + ".invalid", 0, "it is no host name"),
    ],
)
def test_what_can_not_be_had_is_one_sentence(real_network: None, host: str, port: int, says: str) -> None:
    del real_network
    with pytest.raises(StartError, match=says):
        bind(host, port)


def test_a_port_that_is_taken_is_named() -> None:
    [one] = bind("127.0.0.1", 0)
    with one, pytest.raises(StartError, match="is taken by another process"):
        bind("127.0.0.1", one.getsockname()[1])


@pytest.mark.parametrize(
    ("number", "says"), [(errno.EACCES, "may not listen on port 80"), (errno.ENOBUFS, "can't listen on 127.0.0.1")]
)
def test_what_the_system_refuses_is_told(monkeypatch: pytest.MonkeyPatch, number: int, says: str) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(StartError, match=says):
        bind("127.0.0.1", 80)


def test_nothing_stays_bound_where_one_address_can_not_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    [one] = bind("127.0.0.1", 0)
    address = one.getsockname()
    one.close()
    places = [(socket.AF_INET, address), (socket.AF_INET, ("203.0.113.9", 0))]
    monkeypatch.setattr(listening, "_addresses", lambda *_: places)

    with pytest.raises(StartError, match="no address of this machine"):
        bind("localhost", 0)

    assert not reached(address[1], "127.0.0.1")
