"""Counts and times every request, and logs those that failed, were slow or are not routine."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from shared.clock import Clock
    from shared.tally import Tally
    from shared.web.limits import Clients

QUIET = frozenset({"/v1/federated", "/health", "/ready", "/metrics"})
"""Routes that monitors and readers ask all the time: their fast successes are counted, but not logged."""

SLOW_SECONDS = 1.0
NO_ROUTE = "(none)"
# What a caller invents must not become the name of a series without end.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PATH_SHOWN = 200
_log = logging.getLogger("hub.requests")


class Traffic:
    """Counts, times and logs the requests to *app*. Neither tokens nor bodies nor query strings reach the log.

    A line has the client's address as *clients* works it out, and the name of an accepted token:
    ``scope["token_name"]``, which ``Auth`` sets.
    """

    def __init__(self, app: ASGIApp, tally: Tally, clock: Clock, clients: Clients) -> None:
        self._app = app
        self._tally = tally
        self._clients = clients
        self._now = clock.monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; one whose answer never began counts as a 500."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        recorder = _StatusRecorder(send)
        started = self._now()
        try:
            await self._app(scope, receive, recorder)
        finally:
            self._note(scope, recorder.status, self._now() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in METHODS else "other"
        route = scope["route"].path if "route" in scope else NO_ROUTE
        self._tally.answered(method, route, status, seconds)
        if status >= 400 or seconds > SLOW_SECONDS or route not in QUIET:  # noqa: PLR2004 - RFC 9110 §15
            self._log(scope, method, route, status, seconds)

    def _log(self, scope: Scope, method: str, route: str, status: int, seconds: float) -> None:
        milliseconds, path = round(seconds * 1000, 1), scope["path"][:_PATH_SHOWN]
        fields = {
            "request_id": scope.get("request_id"),
            "method": method,
            "route": route,
            "path": path,
            "status": status,
            "duration_ms": milliseconds,
            "client": self._clients.of(Request(scope)),
            "token": scope.get("token_name"),
        }
        token = f" with the token {fields['token']}" if fields["token"] else ""
        # Quoted, so that no path can end the line and begin one of its own.
        arguments = method, quote(path), status, milliseconds, fields["client"], token
        _log.info("%s %s %d in %s ms from %s%s", *arguments, extra={"fields": fields})


class _StatusRecorder:
    """A ``send`` that records the status of the answer; it stays 500 when no answer was begun."""

    __slots__ = ("_send", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 500

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        return self._send(message)
