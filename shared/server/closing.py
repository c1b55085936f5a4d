"""The end of a connection in stages, so that the last answer arrives (RFC 9112 §9.6).

A socket that is closed answers what the client has sent, or still sends, with a reset, and a client that meets it first
loses the answer that it had not read yet. So the hub ends its own direction, reads and drops what still comes, and
closes when the client does.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from shared.server.heads import CheckedProtocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from shared.problems import Problem

LINGER_SECONDS = 2
"""How long a client that has been sent everything is waited for, at least; at most one look of the guard longer."""

LINGER_BYTES = 16 * 1024 * 1024
"""How much of what a client still sends is dropped before the connection is reset."""


class ClosingTransport(asyncio.Transport):
    """Passes everything on to the transport of a socket, but ``close`` ends the hub's direction of it alone.

    Its user calls ``drop`` for what comes after that, and ``end`` where the client does not close in time.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        """Wrap *transport*, which is open."""
        super().__init__()
        self._transport = transport
        self._closing = self._client_ended = False
        self._dropped = 0

    def close(self) -> None:
        """Write what waits to be written, and then end this direction; close once the client ends its own."""
        if self.is_closing():
            return
        self._closing = True
        if self._client_ended:
            self._transport.close()
            return
        try:
            self._transport.write_eof()
        except OSError:
            # The client has reset the connection: there is nobody to read an answer.
            self._transport.abort()
        # What nobody reads would be answered with a reset, too.
        self._transport.resume_reading()

    def end(self) -> None:
        """Close without waiting for the client: for a connection that owes no answer."""
        self._closing = True
        self._transport.close()

    def abort(self) -> None:
        """Close at once, and forget what waits to be written."""
        self._closing = True
        self._transport.abort()

    def drop(self, size: int) -> None:
        """Note that *size* bytes came that nobody reads; reset the connection where they are too many."""
        self._dropped += size
        if self._dropped > LINGER_BYTES:
            self.abort()

    def client_ended(self) -> None:
        """Note that the client sends no more, but may still read."""
        self._client_ended = True

    def is_closing(self) -> bool:
        """Tell whether it is closed or about to be: nothing can be written any more."""
        return self._closing or self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write *data*, unless it is closing."""
        if not self._closing:
            self._transport.write(data)

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Write all of it, unless it is closing."""
        self.write(b"".join(list_of_data))

    def pause_reading(self) -> None:
        """Let the client wait, unless it is closing."""
        if not self._closing:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait to be written."""
        return self._transport.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as in asyncio
        """Return what the transport knows of the socket."""
        return self._transport.get_extra_info(name, default)


class ClosingProtocol(CheckedProtocol):
    """A connection that ends in stages, and on which no answer is lost: a refusal comes after those that are due."""

    transport: ClosingTransport

    def __init__(self, public_url: str, **named: Any) -> None:  # noqa: ANN401 - uvicorn's own, passed on
        """Prepare for one connection; refusals link to the problems of the hub at *public_url*."""
        super().__init__(**named)
        self._public_url = public_url
        self._refused = False
        self._current: RequestResponseCycle | None = None
        self._last_words = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin."""
        super().connection_made(ClosingTransport(transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the requests: they refer back to this, and nothing but a collection would find them."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.cycle = self._current = None  # type: ignore[assignment]  # as it was before the first request
        self.pipeline.clear()

    def eof_received(self) -> bool:  # type: ignore[override]  # as asyncio has it
        """Note that the client sends no more; keep what it may still read open while answers are due."""
        if self.transport.is_closing() or not self._owes_answers() or self.cycle.more_body:
            return False
        self.transport.client_ended()
        self.cycle.keep_alive = False
        return True

    def refuse(self, problem: Problem) -> None:
        """Answer with *problem* once all requests before are answered, and close; read nothing more.

        Where the request that is at fault has its answer, or the beginning of one, there is no second one.
        """
        if self._refused:
            return
        self._refused = True
        if self._receives_body() and self.cycle.response_started:
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.transport.close()
            return
        self._last_words = _refusal(problem, self._public_url)
        if self._receives_body():
            self._take_back(self.cycle)
        self._say_last_words()

    def _reads_no_more(self) -> bool:
        return self._refused or self.transport.is_closing()

    def _take_back(self, cycle: RequestResponseCycle) -> None:
        """Let the request of *cycle* go, the last that was taken: the refusal is its answer."""
        if cycle is self._current:
            # Whatever reads its body learns that the rest will not come.
            cycle.disconnected, self._current = True, None
            cycle.message_event.set()
        else:
            self.pipeline.popleft()

    def _say_last_words(self) -> None:
        if self._last_words and not self._owes_answers():
            self.transport.write(self._last_words)
            self.transport.close()

    def _owes_answers(self) -> bool:
        return bool(self.pipeline) or not (self._current is None or self._current.response_complete)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._current = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Begin the next request that waits, or refuse the one that was at fault."""
        if self._current is not None:
            # What nobody read of its body would stay for as long as the connection does.
            self._current.body = bytearray()
        super().on_response_complete()
        self._say_last_words()

    def shutdown(self) -> None:
        """End the connection, after the answers that are due."""
        if self._owes_answers():
            self._keeps_alive = False
            super().shutdown()
        elif not self.transport.is_closing():
            self.transport.end()

    def timeout_keep_alive_handler(self) -> None:
        """End a connection over which no further request came."""
        if not self.transport.is_closing():
            self.transport.end()

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
