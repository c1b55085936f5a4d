"""The bytes of answers that slow readers have not taken yet, counted and bounded in all.

They are in two places. asyncio copies the bytes that a socket does not take at once, so it is handed one slice after
the other. The rest of a body is the object that the application made: readers of one document share it, and while the
hub itself refers to it they cost nothing, however many they are. A body counts when only its readers refer to it: an
answer made for one request, or a document that was replaced since.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Protocol

SLICE_BYTES = 65536
"""Bytes of a slice; it is smaller once the slices of many readers wait."""

_OWN = 2
"""References to a body that only its readers hold: that of the view, and that of the call of ``getrefcount``."""


class ClientWriter(Protocol):
    """The transport of one client's connection."""

    def abort(self) -> None:
        """Close at once, and release the bodies that wait for this client."""


class _UnsentBody:
    """A body, and the number of answers in which it waits to be written."""

    __slots__ = ("times", "view")

    def __init__(self, content: bytes) -> None:
        # All that is written of it are parts of this view, so that readers add no references to the body itself.
        self.view, self.times = memoryview(content), 0

    def is_own(self) -> bool:
        """Tell whether only readers refer to it, so that it takes memory because of them."""
        return sys.getrefcount(self.view.obj) <= _OWN


class UnsentBodies:
    """The unsent bytes of one server: at most a quarter of *most* bytes in copied slices, the rest in bodies."""

    def __init__(self, most: int, connections: int) -> None:
        """Divide *most* bytes among *connections*, the greatest number there can be."""
        self._large = max(1, min(SLICE_BYTES, most // 8))
        self._small = max(1, min(self._large, most // 8 // connections))
        self._most_large = most // 8
        self._most_bodies = most - most // 4
        self._copied = 0
        self._bytes = 0
        self._bodies: dict[int, _UnsentBody] = {}
        self._readers: OrderedDict[ClientWriter, list[int]] = OrderedDict()

    def slice_bytes(self) -> int:
        """Return how many bytes may be handed to asyncio, which copies those that the socket does not take."""
        # The small slices of all connections together fit the bound, whatever the clients do.
        return self._large if self._copied < self._most_large else self._small

    def copies(self, more: int) -> None:
        """Add *more*, which may be negative, to the bytes that asyncio has copied."""
        self._copied += more

    def hold(self, reader: ClientWriter, content: bytes) -> memoryview:
        """Note that *content* waits for *reader*; return the view of it that all its readers share."""
        body = self._bodies.get(id(content))
        if body is None:
            body = self._bodies[id(content)] = _UnsentBody(content)
            self._bytes += len(content)
        body.times += 1
        self._readers.setdefault(reader, []).append(id(content))
        return body.view

    def release(self, reader: ClientWriter) -> None:
        """Note that the body that *reader* has held longest waits no more."""
        keys = self._readers[reader]
        key = keys.pop(0)
        if not keys:
            del self._readers[reader]
        body = self._bodies[key]
        body.times -= 1
        if not body.times:
            del self._bodies[key]
            self._bytes -= len(body.view)

    def reads(self, reader: ClientWriter) -> None:
        """Note that *reader*, for whom something waits, has taken some of it."""
        self._readers.move_to_end(reader)

    def make_room(self) -> None:
        """Where bodies of readers alone exceed the bound, abort readers: first the one without progress for longest.

        One such body stays, however large: it is a document that was replaced while it was read.
        """
        if self._bytes <= self._most_bodies:
            return
        # References are counted only here: nothing tells when the hub drops its own reference to a body.
        own = {key: len(body.view) for key, body in self._bodies.items() if body.is_own()}
        total = sum(own.values())
        for reader in list(self._readers):
            if total <= self._most_bodies or len(own) <= 1:
                return
            keys = own.keys() & self._readers.get(reader, ())
            if keys:
                reader.abort()
                total -= sum(own.pop(key) for key in keys - self._bodies.keys())
