"""Which connection ends when there are too many: the one that has waited longest for its client.

A connection waits for its client while it is idle, while a request has not arrived in full, and while an answer is not
read. It is worked for between the last byte of a request and its answer, and then it stays. That work begins is not
noted, since every request would pay for it: a connection is asked when it is about to end, once for each time that it
began to wait. Each address has half of
the places at most, of IPv6 each /64: who has more ends connections of its own. A proxy that the operator named has all,
because behind it are many clients.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

from shared.web.limits import Clients

if TYPE_CHECKING:
    from collections.abc import Iterable


class ClientConnection(Protocol):
    """A connection to a client."""

    def abort(self) -> None:
        """Close at once."""

    def is_worked_for(self) -> bool:
        """Tell whether the hub works for it, or its client reads: then it does not end to make room."""


class _Lines:
    """Connections that may end: those that are closing anyway before those that wait, each for the longest first.

    Those that wait may be worked for by now; they come again when they wait again.
    """

    __slots__ = ("client", "closing", "count", "waiting")

    def __init__(self, client: str = "") -> None:
        self.client, self.count = client, 0
        self.closing: OrderedDict[ClientConnection, None] = OrderedDict()
        self.waiting: OrderedDict[ClientConnection, None] = OrderedDict()

    def first(self) -> ClientConnection | None:
        """Return the one that ends next."""
        while self.waiting and not self.closing:
            one = next(iter(self.waiting))
            if not one.is_worked_for():
                return one
            del self.waiting[one]
        return next(iter(self.closing), None)

    def leave(self, one: ClientConnection) -> None:
        """Note that *one* does not end to make room."""
        self.closing.pop(one, None)
        self.waiting.pop(one, None)


class Connections:
    """The connections of one server: *most* in all, and half of them from one address that is not a trusted proxy."""

    def __init__(self, most: int, trusted_proxies: Iterable[str] = ()) -> None:
        """Begin without any; *trusted_proxies* are CIDRs."""
        self.most = most
        self._share = max(1, most // 2)
        self._named = Clients(trusted_proxies)
        self._all = _Lines()
        self._clients: dict[str, _Lines] = {}
        self._places: dict[ClientConnection, tuple[_Lines, _Lines]] = {}

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._places)

    def arrived(self, one: ClientConnection, address: str) -> None:
        """Take *one*, which waits for its client at *address*; where that is one too many, end another or itself."""
        client, trusted = self._named.peer(address)
        own = self._clients.setdefault(client, _Lines(client))
        self._places[one] = self._all, own
        own.count += 1
        self.waits(one)
        crowded = None
        if own.count > self._share and not trusted:
            crowded = own
        elif len(self._places) > self.most:
            crowded = self._all
        # The newcomer waits too, so that there is always one to end.
        if crowded is not None and (last := crowded.first()) is not None:
            self.left(last)
            last.abort()

    def waits(self, one: ClientConnection) -> None:
        """Note that *one* waits for its client from now on."""
        for lines in self._places.get(one, ()):
            lines.waiting[one] = None
            lines.waiting.move_to_end(one)

    def closes(self, one: ClientConnection) -> None:
        """Note that all is said over *one*, and only its end is due; it waits no more."""
        for lines in self._places.get(one, ()):
            lines.leave(one)
            lines.closing[one] = None

    def left(self, one: ClientConnection) -> None:
        """Note that *one* has ended; one that is not there any more changes nothing."""
        places = self._places.pop(one, None)
        if places is not None:
            for lines in places:
                lines.leave(one)
            _, own = places
            own.count -= 1
            if not own.count:
                del self._clients[own.client]
