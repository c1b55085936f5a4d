"""The transport below a connection: hands on no more than a client reads, and ends in stages (RFC 9112 §9.6).

A closed socket answers bytes of the client that nobody has read with a reset, and a client that receives the reset
loses the part of the answer that it has not read yet. So the hub ends its own direction, reads and drops what still
comes, and closes when the client does.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.server.unread import UnsentBodies

LINGER_BYTES = 16 * 1024 * 1024
"""Bytes that a client still sends which are read and dropped before the connection is reset."""

_AT_ONCE = 1024 * 1024
"""Bytes that are written in one turn of the loop to a client that reads as fast as they come."""


class ClosingTransport(asyncio.Transport):
    """Passes on to the transport of a socket, but ``close`` ends the hub's direction of it alone.

    Its user calls ``write_on`` when the socket has taken what was written, ``drop`` for what comes after ``close``,
    ``end`` where the client does not close in time, and ``lost`` when the socket is closed.
    """

    def __init__(self, transport: asyncio.Transport, protocol: asyncio.Protocol, unread: UnsentBodies) -> None:
        """Wrap *transport*, which is open; *protocol* is paused and resumed, *unread* counts the bytes that wait."""
        super().__init__()
        # With a limit of 0 asyncio pauses at the first byte that the socket does not take, and that byte is counted.
        transport.set_write_buffer_limits(high=0)
        self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self._protocol: asyncio.Protocol | None = protocol
        self._unread = unread
        self._closing = self._client_ended = False
        self._dropped = 0
        # The bodies that wait; their unwritten bytes; the position in the first; the bytes that asyncio has copied.
        self._views: deque[memoryview] = deque()
        self._left = self._begin = self._copied = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write *data* as fast as the client takes it, or drop it when closing. ``bytes`` are not copied beforehand."""
        if self._closing or not data:
            return
        if not self._views and not self._copied and len(data) <= self._unread.slice_bytes():
            self._transport.write(data)
            if self._transport.get_write_buffer_size():
                self._count()
            return
        self._views.append(self._unread.hold(self, bytes(data)))
        self._left += len(data)
        if not self.write_on():
            # Later, when the caller has dropped its own reference to the body.
            asyncio.get_running_loop().call_soon(self._unread.make_room)

    def write_on(self) -> bool:
        """Write more where the socket has taken the slice before; return True once everything is written."""
        self._count()
        while self._views and not self._copied:
            view = self._views[0]
            self._write_some(view)
            self._unread.reads(self)
            # asyncio's copy may refer to the view, so the body is released once the copy is written too.
            if self._begin == len(view) and not self._copied:
                self._next()
            elif not self._copied:
                self._write_later()
                return False
        if self._closing and not self._views:
            # Later, as asyncio would close the socket twice if it were closed within its call of resume_writing.
            asyncio.get_running_loop().call_soon(self._end_direction)
        return not self._views and not self._copied

    def _write_some(self, view: memoryview) -> None:
        """Write what the socket takes of *view*, and hand asyncio one slice more; skip it where the client has gone."""
        last = min(len(view), self._begin + _AT_ONCE)
        end = self._begin + self._taken_at_once(view[self._begin : last])
        if end < last and not self._transport.is_closing():
            # asyncio copies the slice, and calls resume_writing when the socket has taken it.
            size = self._unread.slice_bytes()
            self._transport.write(view[end : end + size])
            end = min(end + size, len(view))
        if self._transport.is_closing():
            end = len(view)
        self._left -= end - self._begin
        self._begin = end
        self._count()

    def _taken_at_once(self, view: memoryview) -> int:
        """Write to the socket itself, and return how many bytes of *view* it took; all where the client has gone.

        asyncio would copy the bytes that the socket does not take. It has none left to write, so the order is kept.
        """
        if self._transport.is_closing():
            return len(view)
        try:
            return os.write(self._socket.fileno(), view)
        except BlockingIOError:
            return 0
        except OSError:
            # Later, for the reason given in write_on.
            asyncio.get_running_loop().call_soon(self._transport.abort)
            return len(view)

    def _next(self) -> None:
        self._views.popleft()
        self._begin = 0
        self._unread.release(self)

    def _count(self) -> None:
        copied = self._transport.get_write_buffer_size()
        self._unread.copies(copied - self._copied)
        self._copied = copied

    def _write_later(self) -> None:
        if self._protocol is not None:
            self._protocol.pause_writing()
            asyncio.get_running_loop().call_soon(self._protocol.resume_writing)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Write the parts as one, unless the transport is closing."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """End this direction once everything is written; close the socket when the client ends its own."""
        if self.is_closing():
            return
        self._closing = True
        self._end_direction()
        # Bytes that stay unread would be answered with a reset as well.
        self._transport.resume_reading()

    def end(self) -> None:
        """Close once everything is written, without waiting for the client: for a connection that owes no answer."""
        self._closing = self._client_ended = True
        self._end_direction()

    def _end_direction(self) -> None:
        if self._views:
            return
        if self._client_ended:
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:
            # The client has reset the connection: there is nobody to read an answer.
            self._transport.abort()

    def abort(self) -> None:
        """Close at once, and drop everything that waits to be written."""
        self._closing = True
        self._forget()
        self._transport.abort()
        self._count()

    def lost(self) -> None:
        """Release the bodies and the protocol: the socket is closed."""
        self._protocol = None
        self._forget()
        self._count()

    def _forget(self) -> None:
        while self._views:
            self._next()
        self._left = 0

    def drop(self, size: int) -> None:
        """Count *size* bytes that came and were dropped; abort the connection past LINGER_BYTES."""
        self._dropped += size
        if self._dropped > LINGER_BYTES:
            self.abort()

    def client_ended(self) -> None:
        """Note that the client sends no more, but may still read."""
        self._client_ended = True

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be, so that ``write`` drops its bytes."""
        return self._closing or self._transport.is_closing()

    def pause_reading(self) -> None:
        """Stop reading, unless it is closing: then the bytes are read to be dropped."""
        if not self._closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be written, here and in asyncio."""
        return self._left + self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as in asyncio
        """Return the detail *name* of the socket, such as ``peername``, or *default*."""
        return self._transport.get_extra_info(name, default)
