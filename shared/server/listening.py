"""The sockets that the hub listens on: binding them, their URL for clients, and the reasons why one can't be bound."""

from __future__ import annotations

import errno
import math
import socket
import weakref
from contextlib import closing
from typing import TYPE_CHECKING, Any

from shared.problems import StartError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EVERY_ADDRESS = "::"
"""The host that stands for every address of the machine, of IPv6 and of IPv4."""

_LAST_PORT = 65535
_UNSENT_BYTES = 131072
# What accept answers where the process or the machine can have no further handle or memory.
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_ALSO_EVERY = {"", "*"}
_LOOPBACK = {"0.0.0.0": "127.0.0.1", EVERY_ADDRESS: "127.0.0.1"}  # noqa: S104 - read, not bound


def bind(host: str, port: int, handles: Handles | None = None) -> list[socket.socket]:
    """Return a bound, listening socket for each address of *host*; raise StartError that says what to change.

    They accept no more connections together than *handles* allows. Port 0 is one that the system chooses. ``::`` takes
    IPv4 too (RFC 3493 §5.3); where the system has no IPv6 it is ``0.0.0.0``.
    """
    if not 0 <= port <= _LAST_PORT:
        raise StartError(f"--port {port} is no port; choose one from 1 to {_LAST_PORT}.")
    if host in _ALSO_EVERY:
        host = EVERY_ADDRESS
    if host == EVERY_ADDRESS and not _has_ipv6():
        host = "0.0.0.0"  # noqa: S104 - as was asked for
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            sockets.append(_bound(family, host, address, handles or Handles()))
    except StartError:
        for listener in sockets:
            listener.close()
        raise
    return sockets


def _has_ipv6() -> bool:
    try:
        with closing(socket.socket(socket.AF_INET6, socket.SOCK_STREAM)) as trial:
            trial.bind((EVERY_ADDRESS, 0))
    except OSError:
        return False
    return True


def _addresses(host: str, port: int) -> Iterable[tuple[int, Any]]:
    """Return (family, socket address) for each address of *host*, without doubles; raise StartError for a bad host."""
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is no host name"
        raise StartError(f"--host {host}: {reason}. Give an address of this machine, or :: for all of them.") from fault
    return dict.fromkeys((family, address) for family, _, _, _, address in rows)


class Handles:
    """Counts the file handles of accepted connections: at most *most*, which is unbounded until it is set."""

    def __init__(self) -> None:
        """Begin without a bound: the socket is bound before the settings, which need its port, are read."""
        self.most: float = math.inf
        # Weak, since a socket that is never closed gives its handle back when its object goes.
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def are_taken(self) -> bool:
        """Tell whether *most* handles are in use."""
        return len(self._open) >= self.most

    def take(self, connection: socket.socket) -> socket.socket:
        """Return *connection* as a socket that is counted until it is closed; *connection* itself is detached."""
        family, kind, protocol = connection.family, connection.type, connection.proto
        accepted = _CountedSocket(family, kind, protocol, fileno=connection.detach())
        accepted.handles = self
        self._open.add(accepted)
        return accepted

    def give_back(self, connection: socket.socket) -> None:
        """Count *connection*, which is closed, no longer."""
        self._open.discard(connection)


class _CountedSocket(socket.socket):
    """A connection that *handles* counts until it is closed."""

    handles: Handles

    def close(self) -> None:
        """Close the connection, and give its handle back."""
        super().close()
        self.handles.give_back(self)


class _Listener(socket.socket):
    """A listening socket that asyncio leaves alone for a second after one connection could not be accepted.

    asyncio calls ``accept`` as many times in a row as connections may wait, thousands: without this each call would
    fail and be logged, and nothing else would be answered meanwhile. While all *handles* are in use none is accepted,
    so that those that the hub itself needs stay free: asyncio calls again in the next turn of its loop.
    """

    handles: Handles
    _refused = False

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection; raise BlockingIOError, as if none waited, while all handles are in use.

        Once after each OSError for want of a handle or memory it does so too, which ends asyncio's row of calls.
        """
        if self._refused or self.handles.are_taken():
            self._refused = False
            raise BlockingIOError(errno.EAGAIN, "tried again later")
        try:
            accepted, address = super().accept()
        except OSError as fault:
            self._refused = fault.errno in _SHORTAGES
            raise
        return self.handles.take(accepted), address


def _bound(family: int, host: str, address: Any, handles: Handles) -> socket.socket:  # noqa: ANN401 - its shape is the family's
    # Without the protocol's number asyncio would not set TCP_NODELAY on what is accepted, and each answer on a kept
    # connection would wait for the client's delayed acknowledgement (RFC 1122 §4.2.3.2), which is 40 ms on Linux.
    one = _Listener(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    one.handles = handles
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Connections have it from here. The system would keep megabytes for a client that reads nothing, and say that
        # one that reads slowly has read only when a third of them is gone.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address[0] != EVERY_ADDRESS))
    try:
        one.bind(address)
        # Bound alone, a second socket could have the same address, and would only fail when it listens.
        one.listen()
    except OSError as fault:
        one.close()
        raise StartError(_refusal(host, address[1], fault)) from fault
    return one


def _refusal(host: str, port: int, fault: OSError) -> str:
    if fault.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken by another process. Stop that one, or choose another with --port."
    if fault.errno in {errno.EACCES, errno.EPERM}:
        return f"This user may not listen on port {port}. Choose one from 1024 on with --port."
    if fault.errno == errno.EADDRNOTAVAIL:
        return f"--host {host} is no address of this machine. Give one that is, or :: for all of them."
    return f"The hub can't listen on {host}, port {port}: {fault.strerror}."


def url_of(host: str, sockets: Sequence[socket.socket]) -> str:
    """Return the URL of the first of *sockets*, bound for *host*, as this machine reaches it."""
    address, port = sockets[0].getsockname()[:2]
    name = host if host not in {*_ALSO_EVERY, *_LOOPBACK} else _LOOPBACK[address]
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def described(sockets: Sequence[socket.socket]) -> str:
    """Return the addresses of *sockets* for the log, such as ``127.0.0.1:8080, [::1]:8080``."""
    pairs = (listener.getsockname()[:2] for listener in sockets)
    return ", ".join(f"[{address}]:{port}" if ":" in address else f"{address}:{port}" for address, port in pairs)
