"""Cached answers: ASGI messages that are sent as they are, found by the Accept headers of earlier requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from shared.web.edge import identified

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.clock import Clock
    from shared.hub import Hub
    from shared.tally import Tally
    from shared.web.edge import RequestIds

    Messages = tuple[Message, Message]
    Find = Callable[[Scope], Messages | None]

_HEEDED = frozenset({b"accept", b"accept-encoding", b"if-none-match"})
MOST_WISHES, LONGEST_WISH = 256, 200
"""So many ways to ask are remembered, of so many bytes at most: callers choose their words."""


class Ready(Protocol):
    """A handler that is a plain ASGI callable, because most of what it answers lies ready."""

    def __init__(self, hub: Hub) -> None:
        """Serve what *hub* knows."""

    def ready(self, scope: Scope) -> Messages | None:
        """Return what answers *scope*, where that lies ready."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it asks for."""


class Shortcut:
    """Sends answers that lie ready, and passes everything else on to *app*: its middleware and its list of routes."""

    def __init__(self, app: ASGIApp, ready: Mapping[str, Find], ids: RequestIds, tally: Tally, clock: Clock) -> None:
        """Look for answers in *ready*, by path, and count those that are sent."""
        self._app = app
        self._ready = ready
        self._id_of = ids.of
        self._answered = tally.answered
        self._now = clock.monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        find = self._ready.get(scope["path"]) if scope["type"] == "http" else None
        messages = None if find is None else find(scope)
        if messages is None:
            await self._app(scope, receive, send)
        else:
            started = self._now()
            start, body = messages
            await send(identified(start, self._id_of(scope)))
            await send(body)
            self._answered("GET", scope["path"], start["status"], self._now() - started)


class PreparedAnswer(NamedTuple):
    """One representation as ASGI messages: *whole* is the 200 with the body, *unchanged* the 304 for its *etag*."""

    etag: str
    whole: Messages
    unchanged: Messages

    @classmethod
    def of(cls, body: bytes, etag: str, headers: Mapping[str, str], about: Mapping[str, str]) -> PreparedAnswer:
        """Return the answers for *body*: *headers* stand in both, those *about* the body only where it is sent."""
        shared = {**headers, "ETag": etag}
        length = {"Content-Length": str(len(body))}
        return cls(etag, _messages(200, {**shared, **about, **length}, body), _messages(304, shared, b""))


def _messages(status: int, headers: Mapping[str, str], body: bytes) -> Messages:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return (
        {"type": "http.response.start", "status": status, "headers": pairs},
        {"type": "http.response.body", "body": body},
    )


class Prepared:
    """The answers of one resource, kept while what *current* returns is the document that they were made from."""

    def __init__(self, current: Callable[[], object]) -> None:
        self._current = current
        self._document: object = None
        self._answers: dict[Hashable, PreparedAnswer] = {}
        self._choices: dict[tuple[bytes, bytes], Hashable] = {}

    def keep(self, scope: Scope, document: object, choice: Hashable, answer: PreparedAnswer) -> None:
        """Keep *answer*, made from *document*, for *choice*; requests like that of *scope* get it.

        Nothing is kept where *document* is not the current one any more, as when encoding it took until the next: it
        would drop what is kept of that one, and stay in memory with all its representations.
        """
        if document is not self._current():
            return
        if document is not self._document:
            self._document, self._answers = document, {}
        self._answers[choice] = answer
        words = _words(scope)
        if words is not None and len(words[0]) + len(words[1]) <= LONGEST_WISH:
            if len(self._choices) >= MOST_WISHES:
                self._choices.clear()
            self._choices[words[:2]] = choice

    def forget(self) -> None:
        """Drop the answers; which headers led to which choice is kept."""
        self._document, self._answers = None, {}

    def find(self, scope: Scope) -> Messages | None:
        """Return the answer to a plain GET with headers that led to one before, or None for any other."""
        words = _words(scope) if self._document is not None and self._document is self._current() else None
        choice = self._choices.get(words[:2]) if words else None
        answer = self._answers.get(choice) if choice is not None else None
        if words is None or answer is None:
            return None
        if not words[2]:
            return answer.whole
        return answer.unchanged if words[2].decode("latin-1") == answer.etag else None


def _words(scope: Scope) -> tuple[bytes, bytes, bytes] | None:
    """Return ``Accept``, ``Accept-Encoding`` and ``If-None-Match`` of a GET without a query, or None for any other."""
    if scope["query_string"] or scope["method"] != "GET":
        return None
    values: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _HEEDED:
            if name in values:
                return None
            values[name] = value
    return values.get(b"accept", b""), values.get(b"accept-encoding", b""), values.get(b"if-none-match", b"")
