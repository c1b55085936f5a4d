"""Cached answers: ASGI messages that are sent as they are, found by the Accept headers of earlier requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from shared.web.edge import identified

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.clock import Clock
    from shared.federation import Document
    from shared.hub import Hub
    from shared.signals import EditionNotice
    from shared.tally import Tally
    from shared.web.edge import RequestIds

    Messages = tuple[Message, Message]
    Find = Callable[[Scope], Messages | None]

_HEEDED = frozenset({b"accept", b"accept-encoding", b"if-none-match"})
MOST_WISHES, LONGEST_WISH = 256, 200
"""So many pairs of Accept headers are remembered, of so many bytes at most: clients choose them freely."""


class Ready(Protocol):
    """A handler that is a plain ASGI callable, because most of its answers are cached messages."""

    def __init__(self, hub: Hub) -> None:
        """Serve the document of *hub*."""

    def ready(self, scope: Scope) -> Messages | None:
        """Return the cached messages that answer *scope*, or None; called for every request of the path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer any request of the path, cached or not."""


class Shortcut:
    """Sends cached answers past the middleware and routes of *app*, and passes every other request on to it."""

    def __init__(self, app: ASGIApp, ready: Mapping[str, Find], ids: RequestIds, tally: Tally, clock: Clock) -> None:
        """Look cached answers up in *ready*, by path; *tally* counts those that are sent."""
        self._app = app
        self._ready = ready
        self._id_of = ids.of
        self._answered = tally.answered
        self._now = clock.monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, from the cache where it has the answer."""
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
        """Return the messages for *body*: *headers* stand in both, those *about* the body only in *whole*."""
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
    """Caches the answers made from *document*, the one that is served, until ``on_edition`` hears of the next."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._answers: dict[Hashable, PreparedAnswer] = {}
        self._choices: dict[tuple[bytes, bytes], Hashable] = {}

    def keep(self, scope: Scope, document: Document, choice: Hashable, answer: PreparedAnswer) -> None:
        """Cache *answer*, made from *document*, for *choice*, and map the Accept headers of *scope* to *choice*.

        *choice* names a representation, such as a media type and a coding. Nothing is cached where *document* is no
        longer the one that is served, as when it was encoded while the next was published.
        """
        if document is not self._document:
            return
        self._answers[choice] = answer
        fields = _accept_fields(scope)
        if fields is not None and len(fields[0]) + len(fields[1]) <= LONGEST_WISH:
            # Emptied as a whole: the common headers come again within moments, and no order has to be kept.
            if len(self._choices) >= MOST_WISHES:
                self._choices.clear()
            self._choices[fields[:2]] = choice

    def on_edition(self, notice: EditionNotice) -> None:
        """Drop the answers, because another document is served; the map from Accept headers to choices stays."""
        self._answers.clear()
        self._document = notice.edition.document

    def find(self, scope: Scope) -> Messages | None:
        """Return the cached messages for a GET without a query whose Accept headers are known, else None.

        A lone ``If-None-Match`` that is exactly the ETag gets the 304; any other one is left to the handler.
        """
        fields = _accept_fields(scope) if self._answers else None
        choice = self._choices.get(fields[:2]) if fields else None
        answer = self._answers.get(choice) if choice is not None else None
        if fields is None or answer is None:
            return None
        if not fields[2]:
            return answer.whole
        return answer.unchanged if fields[2].decode("latin-1") == answer.etag else None


def _accept_fields(scope: Scope) -> tuple[bytes, bytes, bytes] | None:
    """Return ``Accept``, ``Accept-Encoding`` and ``If-None-Match`` of a GET without a query, or None for any other."""
    if scope["query_string"] or scope["method"] != "GET":
        return None
    values: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _HEEDED:
            # Several lines of one field are a list (RFC 9110 §5.3), which only the handler reads.
            if name in values:
                return None
            values[name] = value
    return values.get(b"accept", b""), values.get(b"accept-encoding", b""), values.get(b"if-none-match", b"")
