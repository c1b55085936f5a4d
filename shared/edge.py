"""What holds for every request before any endpoint sees it: its id, and how large its body may be."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = b"x-request-id"
_SANE = re.compile(rb"[!-~]{1,100}")


class Edge:
    """The outermost layer. Each request has an id, in ``scope["request_id"]`` and in the answer's ``X-Request-ID``.

    The caller's own is kept when it is sane: at most 100 visible ASCII characters. ``scope["max_body_bytes"]`` is for
    those who read the body.
    """

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        # Random once, then counted: unique over restarts at next to no cost.
        self._begin = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its id back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        known = self._id_of(scope)
        scope["request_id"] = known.decode()
        scope["max_body_bytes"] = self._max_body_bytes

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Not into the message itself: it may be one that is sent again.
                message = {**message, "headers": [*message["headers"], (REQUEST_ID, known)]}
            await send(message)

        await self._app(scope, receive, send_with_id)

    def _id_of(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == REQUEST_ID and _SANE.fullmatch(value):
                return bytes(value)
        return f"{self._begin}-{next(self._numbers):x}".encode()
