"""A connection that loses no answer: each is begun when the one before has left, and a refusal follows all of them."""

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


class ClosingProtocol(CheckedProtocol):
    """A connection that ends in stages (RFC 9112 §9.6); a refusal is written after all answers that are due."""

    transport: ClosingTransport

    def __init__(self, public_url: str, unread: UnsentBodies, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own, passed on
        """Prepare for one connection; *unread* counts its unsent bytes, refusals link to problems at *public_url*."""
        super().__init__(**options)
        self._public_url, self._all_unread = public_url, unread
        self._refused = False
        self._current: RequestResponseCycle | None = None
        self._begins_later: ASGI3Application | None = None
        # The bytes that answer the request at fault, empty where nothing is answered; None while nothing is at fault.
        self._refusal: bytes | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Serve *transport* through a ClosingTransport."""
        super().connection_made(ClosingTransport(transport, self, self._all_unread))

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop the requests: they refer back to this object, and only a garbage collection would free them."""
        self.transport.lost()
        super().connection_lost(exc)
        if self._current is not None:
            # Nobody reads the rest of its body any more, and its handler may hold the request for a while.
            self._current.body = bytearray()
            # uvicorn marks only the last request as disconnected, and this one may be an earlier one.
            self._current.disconnected = not self._current.response_complete
            self._current.message_event.set()
        self._begins_later = None
        self.cycle = self._current = None  # type: ignore[assignment]  # as it was before the first request
        self.pipeline.clear()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Note that the client sends no more; return True, to stay open, while answers are due or unsent.

        A request whose body is cut off gets no answer, as RFC 9112 §8 allows; those before it get theirs.
        """
        self.transport.client_ended()
        if self._receives_body():
            self._end_with_refusal(b"")
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

        A request at fault whose answer has begun already gets no second one.
        """
        self._end_with_refusal(_refusal_bytes(problem, self._public_url))

    def _end_with_refusal(self, refusal: bytes) -> None:
        if self._refused:
            return
        self._refused = True
        if self._receives_body() and self.cycle.response_started:
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.transport.close()
            return
        self._refusal = refusal
        if self._receives_body():
            self._take_back(self.cycle)
        self._send_refusal()

    def _reads_no_more(self) -> bool:
        return self._refused or self.transport.is_closing()

    def _take_back(self, cycle: RequestResponseCycle) -> None:
        """Drop the request of *cycle*, the last one: the refusal is its answer."""
        if cycle is self._current:
            # A handler that reads its body gets ClientDisconnect.
            cycle.disconnected, self._current, self._begins_later = True, None, None
            cycle.body = bytearray()
            cycle.message_event.set()
        else:
            self.pipeline.popleft()

    def _send_refusal(self) -> None:
        if self._refusal is not None and not self._owes_answers():
            self.transport.write(self._refusal)
            self.transport.close()

    def _owes_answers(self) -> bool:
        return bool(self.pipeline) or not (self._current is None or self._current.response_complete)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Begin the request of *cycle* once the answer before it has left, so that at most one body waits unsent."""
        self._current = cycle
        if self.flow.write_paused:
            self._begins_later = app
        else:
            super()._start_asgi_task(cycle, app)

    def resume_writing(self) -> None:
        """Write more of the answer, as the socket has room, and begin the next request once all of it has left."""
        if not self.transport.write_on():
            return
        super().resume_writing()
        app, self._begins_later = self._begins_later, None
        if app is not None and self._current is not None:
            super()._start_asgi_task(self._current, app)

    def on_response_complete(self) -> None:
        """Begin the next request that waits, or send the refusal that is due.

        It replaces uvicorn's method, which sets a keep-alive timer with each answer: the guard's tick does that.
        """
        if self._current is not None and self._current.body:
            # The unread rest of its body would stay in memory for as long as the connection does.
            self._current.body = bytearray()
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
        self._send_refusal()

    def shutdown(self) -> None:
        """End the connection, after the answers that are due: the server stops."""
        if self._owes_answers():
            self._end_after_answers()
        elif not self.transport.is_closing():
            self.transport.end()

    def _end_after_answers(self) -> None:
        # The answer to the last request ends the connection, unless a refusal follows it.
        if self._refusal is None:
            self.cycle.keep_alive = self._keeps_alive = False

    def _receives_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body


def _refusal_bytes(problem: Problem, public_url: str) -> bytes:
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
