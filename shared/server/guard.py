"""A connection with bounds: on the size of a request, on the time that its client takes, on answers left unread.

uvicorn gives a request unlimited time and its head unlimited space, and keeps an answer that nobody reads for ever.
This protocol extends uvicorn's and ends such connections. A request pays for it with the count of its bytes only; times
are looked at once per tick.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared.problems import HeadTooLarge, MalformedRequest, RequestTimeout
from shared.server.closing import ClosingProtocol
from shared.server.heads import RefusedError

if TYPE_CHECKING:
    from shared.server.bounds import ServerBounds

MESSAGE_BYTES = 16 * 1024 * 1024
"""Bytes of one request after which its connection is aborted, though a 413 was sent and the body is discarded."""

MOST_FIELDS = 100
"""Header fields of a request: each takes some thirty times its bytes in memory."""

MOST_WAITING = 16
"""So many pipelined requests wait for the one before them; those behind them are discarded, and the connection ends
after the last answer. A client then repeats them, as RFC 9112 §9.3.2 says."""

LEAST_PER_SECOND = 4096
"""Bytes per second below which a client counts as not reading its answer."""


class GuardedProtocol(ClosingProtocol, asyncio.BufferedProtocol):
    """A connection within *bounds*: it is refused or aborted where its client exceeds one of them."""

    def __init__(self, bounds: ServerBounds, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own, passed on
        super().__init__(bounds.public_url, bounds.unread, **options)
        self._bounds = bounds
        self._received = 0
        self._begun = self._ended = self._full = False
        self._phase: object = None
        self._since = self.loop.time()
        self._unread = 0
        self._stalled = False
        self._activity = "idle"
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the ticks, and count the connection; where there are too many now, one is aborted."""
        super().connection_made(transport)
        self._next_look = self.loop.call_later(self._bounds.tick, self._look)
        self._bounds.connections.arrived(self, self.client[0] if self.client else "")

    def abort(self) -> None:
        """Close at once, with requests unanswered and answers unsent."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the ticks, and make the place free for another connection."""
        if self._next_look is not None:
            self._next_look.cancel()
        self._bounds.connections.left(self)
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's own
        """Return the buffer for the next bytes, which all connections share."""
        return self._bounds.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Parse a copy of the *nbytes* bytes that are in the buffer."""
        self.data_received(bytes(self._bounds.read_buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Count *data* and parse it; discard it once the connection takes no more requests."""
        if self._full or self._reads_no_more():
            self.transport.drop(len(data))
            return
        self._received += len(data)
        super().data_received(data)
        if self._refused:
            self._begun, self._received = False, 0
        elif self._ended:
            # What came after the end belongs to the next request.
            self._ended, self._received = False, int(self._begun)
            if not self._stalled and not self.cycle.more_body and self._owes_answers():
                # The common case, a request that came in one piece, ends here.
                self._activity = "works"
                return
        elif self._received > self._bounds.head_bytes:
            self._weigh()
        elif self._begun and len(self.headers) > MOST_FIELDS:
            self._refuse_fields()
        self._note_activity()

    def _weigh(self) -> None:
        """Refuse a request whose head is too large; abort the connection of one that exceeds MESSAGE_BYTES."""
        if self._receives_body():
            if self._received > MESSAGE_BYTES:
                self.transport.abort()
        else:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin the request; raise RefusedError where its head is too large, or too many wait before it."""
        if self._received > self._bounds.head_bytes and self._head() > self._bounds.head_bytes:
            self._refuse_head()
        elif len(self.headers) > MOST_FIELDS:
            self._refuse_fields()
        elif len(self.pipeline) >= MOST_WAITING:
            self._take_no_more()
        if self._refused or self._full:
            raise RefusedError
        super().on_headers_complete()

    def _take_no_more(self) -> None:
        """Take no request more: the connection ends with the answer to the last one that waits."""
        self.cycle.keep_alive = False
        self._begun, self._ended, self._full = False, True, True

    def on_body(self, body: bytes) -> None:
        """Pass a part of the body on, unless the request is refused."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request has ended; where it offers an upgrade, the parser only stops behind the head."""
        if self.parser.should_upgrade():
            return
        self._begun, self._ended = False, True
        if not self._refused:
            super().on_message_complete()
            # Where the answer came first, uvicorn does not note that the body has ended.
            self.cycle.more_body = False

    def _head(self) -> int:
        # ": " and the line's end are four bytes.
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_head(self) -> None:
        self.refuse(HeadTooLarge(f"The head of a request may have {self._bounds.head_bytes:,} bytes."))

    def _refuse_fields(self) -> None:
        self.refuse(HeadTooLarge(f"A request may have {MOST_FIELDS} header fields."))

    def is_idle(self) -> bool:
        """Tell whether no answer is due and no byte of a request has come.

        Empty lines before a request don't count: old clients send one after a body (RFC 9112 §2.2).
        """
        return not (self._begun or self._owes_answers())

    def on_response_complete(self) -> None:
        """Begin the next request that waits, or note that the connection waits for its client."""
        super().on_response_complete()
        self._note_activity()

    def resume_writing(self) -> None:
        """Write more of the answer, as the client has read; note when all of it has left."""
        super().resume_writing()
        self._note_activity()

    def _note_activity(self) -> None:
        """Tell Connections where this connection has begun to wait for its client, or to close."""
        activity = self._activity_now()
        if activity == self._activity:
            return
        self._activity = activity
        if activity == "closes":
            self._bounds.connections.closes(self)
        elif activity != "works":
            self._bounds.connections.waits(self)

    def is_worked_for(self) -> bool:
        """Tell whether an answer is being made or read, so that the connection is not ended to make room."""
        if self._activity_now() != "works":
            return False
        # Connections unlists it now, so it has to be listed again even where the next wait is of the same kind.
        self._activity = "works"
        return True

    def _activity_now(self) -> str:
        """Return "works", "closes", or what its client is waited for: "idle", "sends" (a request) or "unread"."""
        if self._stalled:
            return "unread"
        if self.transport.get_write_buffer_size():
            return "works"
        if self.transport.is_closing():
            return "closes"
        if not self._owes_answers():
            return "sends" if self._begun else "idle"
        arrives = self._current is self.cycle and self.cycle.more_body and not self.cycle.response_started
        return "sends" if arrives else "works"

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request with a problem document, where uvicorn would send plain text."""
        if not self._full:
            self.refuse(MalformedRequest(msg))

    def _look(self) -> None:
        """Once per tick, end the connection where its client has made no progress for longer than it may."""
        # First of all, so that nothing that fails below ends the watch over the connection.
        self._next_look = self.loop.call_later(self._bounds.tick, self._look)
        now, phase = self.loop.time(), self._waits_for()
        self._stalled = phase == "read"
        self._note_activity()
        if phase is None or phase != self._phase:
            self._phase, self._since = phase, now
        elif self._unread:
            if now - self._since >= self._bounds.send_seconds:
                self.transport.abort()
        elif phase == "close":
            if now - self._since >= self._bounds.linger_seconds:
                self.transport.end()
        elif now - self._since >= self._patience():
            self._end_the_wait()

    def _waits_for(self) -> object:
        """Return which action of the client we wait for, or None: "read", "close", ("begin" or "send", request).

        The value stays equal until the client makes progress: ``_since`` is the loop's time when it last changed.
        """
        before, self._unread = self._unread, self.transport.get_write_buffer_size()
        if self._unread:
            moved = before - self._unread
            return "read" if before and 0 <= moved < LEAST_PER_SECOND * self._bounds.tick else None
        if self.transport.is_closing():
            return "close"
        if self.is_idle():
            # The time counts anew after each answer.
            return "begin", self.cycle
        # Where the hub itself reads no more for now, nothing can arrive.
        return ("send", self.cycle) if self._begun and not self.flow.read_paused else None

    def _patience(self) -> float:
        """Return the seconds in which a request must arrive once begun, or else in which one must begin."""
        return self._bounds.receive_seconds if self._begun else self._bounds.idle_seconds

    def _end_the_wait(self) -> None:
        if self._begun:
            self.refuse(RequestTimeout("The request did not arrive in time."))
        else:
            self.transport.end()
