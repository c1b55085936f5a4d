"""Resources: one per path of the router's table, which chooses the handler by method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from shared.problems import MethodNotAllowed
from shared.web.answers import OPEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.hub import Hub
    from shared.web.dialect import Dialect
    from shared.web.prepared import Find, Ready

    Handle = Callable[[Hub, Request], Awaitable[Response]]
    Row = tuple[str, str, Handle | type[Ready], Dialect]


def resources(hub: Hub, rows: Iterable[Row]) -> dict[str, Resource]:
    """Return one resource for each path in *rows*, by path, with the handlers of all its methods bound to *hub*."""
    by_path: dict[str, Resource] = {}
    for method, path, handle, dialect in rows:
        by_path.setdefault(path, Resource(hub, dialect)).add(method, handle)
    return by_path


class Resource:
    """The ASGI endpoint of one path: it chooses the handler by method, so that a 405 names every method of the path.

    *ready* is the look-up of cached answers to GET, None where the handler caches none.
    """

    def __init__(self, hub: Hub, dialect: Dialect) -> None:
        self._hub = hub
        self._handlers: dict[str, ASGIApp] = {}
        self.dialect = dialect
        self.ready: Find | None = None

    def add(self, method: str, handle: Handle | type[Ready]) -> None:
        """Serve *method* by *handle*: a function, or a class whose instances are ASGI callables with a cache."""
        if isinstance(handle, type):
            handler = handle(self._hub)
            self._handlers[method], self.ready = handler, handler.ready
        else:
            # Reads are answered from memory at once; only what has a body or takes a while is bounded.
            self._handlers[method] = self._answering(handle) if method == "GET" else self._admitting(handle)

    def _answering(self, handle: Handle) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await handle(self._hub, Request(scope, receive))
            await response(scope, receive, send)

        return answer

    def _admitting(self, handle: Handle) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive)
            with self._hub.limits.admission(request):
                response = await handle(self._hub, request)
            await response(scope, receive, send)

        return answer

    @property
    def allowed(self) -> str:
        """The methods of the path as the value of ``Allow`` (RFC 9110 §10.2.1), OPTIONS and HEAD included."""
        implied = {"OPTIONS", *(["HEAD"] if "GET" in self._handlers else [])}
        return ", ".join(sorted(implied | self._handlers.keys()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: HEAD as GET without its body (RFC 9110 §9.3.2), an unknown method with 405."""
        method = scope["method"]
        if method == "HEAD":
            method, send = "GET", _without_body(send)
        handler = self._handlers.get(method, self._without_handler)
        await handler(scope, receive, send)

    async def _without_handler(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "OPTIONS":
            raise MethodNotAllowed(f"This path offers {self.allowed}.", headers={"Allow": self.allowed})
        headers = {**OPEN, "Allow": self.allowed, **self.dialect.preflight()}
        await Response(status_code=204, headers=headers)(scope, receive, send)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
