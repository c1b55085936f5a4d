"""Which connection ends when there are too many: the one that has waited longest for its client.

A connection waits for its client while it is idle, while a request has not arrived in full, and while an answer is not
read. Between the last byte of a request and its answer the hub works for it, and it is not ended. The begin of that
work is not noted, since every request would pay for it: a connection is asked when it is about to end, once for each
time that it began to wait.

Each address has half of the places at most, of IPv6 each /64; one more ends a connection of the same address. A proxy
that the operator named may have all, because many clients are behind it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from shared.web.limits import Clients

if TYPE_CHECKING:
    from collections.abc import Iterable


class ClientConnection(Protocol):
    """A connection to a client, as far as its end is concerned."""

    def abort(self) -> None:
        """Close at once, without what waits to be written."""

    def is_worked_for(self) -> bool:
        """Tell whether the hub works for it, or its client reads: then it does not end to make room."""


class _EndQueue:
    """Connections that may end, in this order: those that are closing, then those that wait, the longest first.

    The hub may work by now for one that is listed as waiting; it is listed again when it waits again.
    """

    __slots__ = ("client", "closing", "count", "waiting")

    def __init__(self, client: str = "") -> None:
        self.client, self.count = client, 0
        self.closing: OrderedDict[ClientConnection, None] = OrderedDict()
        self.waiting: OrderedDict[ClientConnection, None] = OrderedDict()

    def first(self) -> ClientConnection | None:
        """Return the connection to end next, or None where the hub works for all; unlist those that it works for."""
        while self.waiting and not self.closing:
            connection = next(iter(self.waiting))
            if not connection.is_worked_for():
                return connection
            del self.waiting[connection]
        return next(iter(self.closing), None)

    def leave(self, connection: ClientConnection) -> None:
        """Note that *connection* does not end to make room."""
        self.closing.pop(connection, None)
        self.waiting.pop(connection, None)


class Connections:
    """The connections of one server: *most* in all, and half of them from one address that is not a trusted proxy."""

    def __init__(self, most: int, trusted_proxies: Iterable[str] = ()) -> None:
        """Begin without any; *trusted_proxies* are CIDRs."""
        self.most = most
        self._share = max(1, most // 2)
        self._peers = Clients(trusted_proxies)
        self._all = _EndQueue()
        self._clients: dict[str, _EndQueue] = {}
        self._places: dict[ClientConnection, tuple[_EndQueue, _EndQueue]] = {}

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._places)

    def arrived(self, connection: ClientConnection, address: str) -> None:
        """Add *connection*, which waits for its client at *address*; where that is one too many, abort the first.

        The first may be *connection* itself.
        """
        client, trusted = self._peers.peer(address)
        own = self._clients.setdefault(client, _EndQueue(client))
        self._places[connection] = self._all, own
        own.count += 1
        self.waits(connection)
        crowded = None
        if own.count > self._share and not trusted:
            crowded = own
        elif len(self._places) > self.most:
            crowded = self._all
        # The new connection waits too, so that there is always one to end.
        if crowded is not None and (last := crowded.first()) is not None:
            self.left(last)
            last.abort()

    def waits(self, connection: ClientConnection) -> None:
        """Note that *connection* waits for its client from now on."""
        for queue in self._places.get(connection, ()):
            queue.waiting[connection] = None
            queue.waiting.move_to_end(connection)

    def closes(self, connection: ClientConnection) -> None:
        """Note that every answer over *connection* is sent, and only its end is due; it waits no more."""
        for queue in self._places.get(connection, ()):
            queue.leave(connection)
            queue.closing[connection] = None

    def left(self, connection: ClientConnection) -> None:
        """Remove *connection*, which has ended; a second call changes nothing."""
        places = self._places.pop(connection, None)
        if places is not None:
            for queue in places:
                queue.leave(connection)
            _, own = places
            own.count -= 1
            if not own.count:
                del self._clients[own.client]
