"""The bytes of answers that slow readers have not taken yet, counted where they lie and bounded in all.

They lie in two places. What a socket did not take at once asyncio copies, so it is handed a slice of that, and the next
one when the last is gone and the socket takes no more. The rest of a body is the object that the application made:
readers of one document share it, and while the hub keeps it for others as well they cost nothing, however many they are
and however large it is. What nobody else keeps counts: answers made for one request, and documents that were replaced
since.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from typing import Protocol

SLICE_BYTES = 65536
"""A slice; smaller ones are written once the slices of many readers wait."""

_OWN = 2
"""References to a body that nobody else keeps: of the view through which it is written, and of the look itself."""


class ClientWriter(Protocol):
    """What writes to one client."""

    def abort(self) -> None:
        """Close at once, and release the bodies that it holds."""


class _UnsentBody:
    """A body, and how often it waits to be written."""

    __slots__ = ("times", "view")

    def __init__(self, content: bytes) -> None:
        # All that is written of it are parts of this view, so that readers add no references to the body itself.
        self.view, self.times = memoryview(content), 0

    def is_own(self) -> bool:
        """Tell whether nobody but its readers keeps it."""
        return sys.getrefcount(self.view.obj) <= _OWN


class UnsentBodies:
    """What waits for the readers of one server: at most a quarter of *most* bytes copied, the rest bodies."""

    def __init__(self, most: int, connections: int) -> None:
        """Bound the bytes for so many *connections*."""
        self._large = max(1, min(SLICE_BYTES, most // 8))
        self._small = max(1, min(self._large, most // 8 // connections))
        self._most_large = most // 8
        self._most_bodies = most - most // 4
        self._copied = 0
        self._bytes = 0
        self._bodies: dict[int, _UnsentBody] = {}
        self._readers: OrderedDict[ClientWriter, list[int]] = OrderedDict()

    def slice_bytes(self) -> int:
        """Return how many bytes may be handed to a socket that may not take them."""
        # Every connection may leave a small slice, so that these have their bound whatever the clients do.
        return self._large if self._copied < self._most_large else self._small

    def copies(self, more: int) -> None:
        """Note that so many bytes *more* are copied, or less where it is negative."""
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
        held = self._readers[reader]
        key = held.pop(0)
        if not held:
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
        """Where bodies that nobody else keeps pass the bound, end their readers: first who took nothing for longest.

        One such body stays, however large: it is a document that was replaced while it was read.
        """
        if self._bytes <= self._most_bodies:
            return
        # Whether somebody else keeps a body is looked at only here: nobody says when that ends.
        own = {key: len(body.view) for key, body in self._bodies.items() if body.is_own()}
        total = sum(own.values())
        for reader in list(self._readers):
            if total <= self._most_bodies or len(own) <= 1:
                return
            held = own.keys() & self._readers.get(reader, ())
            if held:
                reader.abort()
                total -= sum(own.pop(key) for key in held - self._bodies.keys())
