"""A connection on which no answer is lost: one begins when the last has left, and a refusal comes after all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from shared.server.heads import CheckedProtocol
from shared.server.transport import ClosingTransport

if TYPE_CHECKING:
    import asyncio

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from shared.problems import Problem
    from shared.server.unread import UnsentBodies

LINGER_SECONDS = 2
"""How long a client that has been sent everything is waited for, at least; at most one look of the guard longer."""


class ClosingProtocol(CheckedProtocol):
    """A connection that ends in stages, and on which no answer is lost: a refusal comes after those that are due."""

    transport: ClosingTransport

    def __init__(self, public_url: str, unread: UnsentBodies, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own, passed on
        """Prepare for one connection; refusals link to the problems of the hub at *public_url*."""
        super().__init__(**options)
        self._public_url, self._all_unread = public_url, unread
        self._refused = False
        self._current: RequestResponseCycle | None = None
        self._begins_later: ASGI3Application | None = None
        # What is said before the connection ends by a request that has no answer of its own; None where it goes on.
        self._last_words: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin."""
        super().connection_made(ClosingTransport(transport, self, self._all_unread))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the requests: they refer back to this, and nothing but a collection would find them."""
        self.transport.lost()
        super().connection_lost(exc)
        if self._current is not None:
            # Nobody is given what was not read of it, and what goes on for it may take a while.
            self._current.body = bytearray()
            # uvicorn says so only to the request that came last, and this one is answered before those behind it.
            self._current.disconnected = not self._current.response_complete
            self._current.message_event.set()
        self._begins_later = None
        self.cycle = self._current = None  # type: ignore[assignment]  # as it was before the first request
        self.pipeline.clear()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Note that the client sends no more; keep what it may still read open while answers are due.

        A request whose body ends amid gets no answer, as RFC 9112 §8 allows; those before it have theirs.
        """
        self.transport.client_ended()
        if self._receives_body():
            self._end_with(b"")
        owes, unread = self._owes_answers(), self.transport.get_write_buffer_size()
        if (self.transport.is_closing() and not unread) or not (owes or unread):
            return False
        if owes:
            self._end_after_answers()
        else:
            self.transport.close()
        return True

    def refuse(self, problem: Problem) -> None:
        """Answer with *problem* once all requests before are answered, and close; read nothing more.

        Where the request that is at fault has its answer, or the beginning of one, there is no second one.
        """
        self._end_with(_refusal(problem, self._public_url))

    def _end_with(self, last_words: bytes) -> None:
        if self._refused:
            return
        self._refused = True
        if self._receives_body() and self.cycle.response_started:
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.transport.close()
            return
        self._last_words = last_words
        if self._receives_body():
            self._take_back(self.cycle)
        self._say_last_words()

    def _reads_no_more(self) -> bool:
        return self._refused or self.transport.is_closing()

    def _take_back(self, cycle: RequestResponseCycle) -> None:
        """Let the request of *cycle* go, the last that was taken: the refusal is its answer."""
        if cycle is self._current:
            # Whatever reads its body learns that the rest will not come.
            cycle.disconnected, self._current, self._begins_later = True, None, None
            cycle.body = bytearray()
            cycle.message_event.set()
        else:
            self.pipeline.popleft()

    def _say_last_words(self) -> None:
        if self._last_words is not None and not self._owes_answers():
            self.transport.write(self._last_words)
            self.transport.close()

    def _owes_answers(self) -> bool:
        return bool(self.pipeline) or not (self._current is None or self._current.response_complete)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin the request of *cycle* when what was answered before has left, so that one body at a time waits."""
        self._current = cycle
        if self.flow.write_paused:
            self._begins_later = app
        else:
            super()._start_asgi_task(cycle, app)

    def resume_writing(self) -> None:
        """Write on, and begin what waits for that."""
        if not self.transport.write_on():
            return
        super().resume_writing()
        app, self._begins_later = self._begins_later, None
        if app is not None and self._current is not None:
            super()._start_asgi_task(self._current, app)

    def on_response_complete(self) -> None:
        """Begin the next request that waits, or refuse the one that was at fault.

        In place of uvicorn's, which sets a timer for the next request at each answer: the guard looks at a connection
        now and then anyway.
        """
        if self._current is not None and self._current.body:
            # What nobody read of its body would stay for as long as the connection does.
            self._current.body = bytearray()
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
        self._say_last_words()

    def shutdown(self) -> None:
        """End the connection, after the answers that are due."""
        if self._owes_answers():
            self._end_after_answers()
        elif not self.transport.is_closing():
            self.transport.end()

    def _end_after_answers(self) -> None:
        # The last request that was taken ends the connection with its answer, unless something is said after it.
        if self._last_words is None:
            self.cycle.keep_alive = self._keeps_alive = False

    def _receives_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body


def _refusal(problem: Problem, public_url: str) -> bytes:
    body = orjson.dumps(problem.as_json(public_url, "/"))
    own = "".join(f"{name.lower()}: {value}\r\n" for name, value in problem.headers.items())
    head = (
        b"content-type: application/problem+json\r\n"
        b"access-control-allow-origin: *\r\n"
        b"x-content-type-options: nosniff\r\n"
        b"cache-control: no-store\r\n"
        b"connection: close\r\n"
    )
    length = b"content-length: %d\r\n\r\n" % len(body)
    return b"".join([STATUS_LINE[problem.answer_status], own.encode(), head, length, body])
