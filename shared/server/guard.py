"""A connection that can't be held for nothing: what a client may send, how long it may take, what it may leave unread.

uvicorn gives a request all the time it wants and its head all the space, and keeps an answer that nobody reads for
ever. This stands on uvicorn's protocol and ends such connections. On the path of a request lies nothing of it but the
count of its bytes; how long things take is looked at now and then.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared.problems import HeadTooLarge, MalformedRequest, RequestTimeout
from shared.server.closing import LINGER_SECONDS, ClosingProtocol
from shared.server.heads import RefusedError

if TYPE_CHECKING:
    from shared.server.bounds import ServerBounds

MESSAGE_BYTES = 16 * 1024 * 1024
"""More of one request is not even thrown away: whoever was told 413 and sends on and on is cut off here."""

MOST_FIELDS = 100
"""The header fields of a request: each takes thirty times its bytes in memory."""

MOST_WAITING = 16
"""So many requests of a connection wait for their turn. Those behind them are not taken: as RFC 9112 §9.3.2 has it, a
client asks again where the connection ended before it was answered."""

LEAST_PER_SECOND = 4096
"""The bytes per second that a reader takes at least, or it counts as one that does not read."""


class GuardedProtocol(ClosingProtocol, asyncio.BufferedProtocol):
    """A connection within *bounds*."""

    def __init__(self, bounds: ServerBounds, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own, passed on
        super().__init__(bounds.public_url, bounds.unread, **named)
        self._bounds = bounds
        self._received = 0
        self._begun = self._ended = self._full = False
        self._phase: object = None
        self._since = self.loop.time()
        self._unread = 0
        self._still = False
        self._place = "idle"
        self._next_look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to watch, and make room where there are too many."""
        super().connection_made(transport)
        self._next_look = self.loop.call_later(self._bounds.tick, self._look)
        self._bounds.connections.arrived(self, self.client[0] if self.client else "")

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        if self._next_look is not None:
            self._next_look.cancel()
        self._bounds.connections.left(self)
        super().connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's own
        """Return what the next bytes are read into."""
        return self._bounds.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take the *nbytes* that were read."""
        self.data_received(bytes(self._bounds.read_buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Count what comes, and pass it on."""
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
            if not self._still and not self.cycle.more_body and self._owes_answers():
                # As after nearly every read: no closer look is needed.
                self._place = "works"
                return
        elif self._received > self._bounds.head_bytes:
            self._weigh()
        elif self._begun and len(self.headers) > MOST_FIELDS:
            self._refuse_fields()
        self._take_place()

    def _weigh(self) -> None:
        """Look closely at a request that is larger than its head may be."""
        if self._receives_body():
            if self._received > MESSAGE_BYTES:
                self.transport.abort()
        else:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Note that a request begins, with whatever else came in one piece."""
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin the request, unless its head is too large or too many wait."""
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
        """End the connection with the answer to the last request that was taken."""
        self.cycle.keep_alive = False
        self._begun, self._ended, self._full = False, True, True

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request ends; not where the parser only stops behind a head."""
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
        """Tell whether nothing is under way: no answer, and not a byte of a request.

        The empty lines before a request are none of it: old clients send one after a body (RFC 9112 §2.2).
        """
        return not (self._begun or self._owes_answers())

    def on_response_complete(self) -> None:
        """Wait for the next request, or go on with the one that waits."""
        super().on_response_complete()
        self._take_place()

    def resume_writing(self) -> None:
        """Go on where the client has read."""
        super().resume_writing()
        self._take_place()

    def _take_place(self) -> None:
        """Note from when on this connection may end to make room for others, where that has changed."""
        place = self._place_now()
        if place == self._place:
            return
        self._place = place
        if place == "closes":
            self._bounds.connections.closes(self)
        elif place != "works":
            self._bounds.connections.waits(self)

    def is_worked_for(self) -> bool:
        """Tell whether the hub works for it, or its client reads."""
        if self._place_now() != "works":
            return False
        # Who asks forgets it until it waits again, also where that begins as it did before.
        self._place = "works"
        return True

    def _place_now(self) -> str:
        """Return what goes on: "works", "closes", or that it is waited for its client, "idle", "sends" or "unread"."""
        if self._still:
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
        """Answer a request that can't be read as every other failure is answered."""
        if not self._full:
            self.refuse(MalformedRequest(msg))

    def _look(self) -> None:
        """See for how long nothing has moved that the client has to move."""
        # First of all, so that nothing that fails below ends the watch over the connection.
        self._next_look = self.loop.call_later(self._bounds.tick, self._look)
        now, phase = self.loop.time(), self._waits_for()
        self._still = phase == "read"
        self._take_place()
        if phase is None or phase != self._phase:
            self._phase, self._since = phase, now
        elif self._unread:
            if now - self._since >= self._bounds.send_seconds:
                self.transport.abort()
        elif phase == "close":
            if now - self._since >= LINGER_SECONDS:
                self.transport.end()
        elif now - self._since >= self._patience():
            self._end_the_wait()

    def _waits_for(self) -> object:
        """Return what the client has to do, the same for as long as it is the same; None where it has nothing to do."""
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
        """Return for how many seconds a client may send nothing: before a request, the first too, it has longer."""
        return self._bounds.receive_seconds if self._begun else self._bounds.idle_seconds

    def _end_the_wait(self) -> None:
        if self._begun:
            self.refuse(RequestTimeout("The request did not arrive in time."))
        else:
            self.transport.end()
