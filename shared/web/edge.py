"""What holds for every request before any endpoint sees it: its path and its id."""

from __future__ import annotations

import itertools
import re
import secrets
from typing import TYPE_CHECKING

from shared.problems import StartError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = b"x-request-id"
_SANE = re.compile(rb"[!-~]{1,100}")


class PublicPath:
    """Serves a hub under the path of its public URL, whether a proxy takes that off requests or leaves it there.

    ``scope["path"]`` is one of the hub's own from here on; ``scope["public_path"]`` is what its readers need before it.
    """

    def __init__(self, app: ASGIApp, public_path: str) -> None:
        self._app = app
        self._public_path = public_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            scope = {**scope, "public_path": self._public_path, "path": self._own(scope["path"])}
        await self._app(scope, receive, send)

    def _own(self, path: str) -> str:
        if path != self._public_path and not path.startswith(f"{self._public_path}/"):
            return path
        return path[len(self._public_path) :] or "/"


def public_path(request: Request) -> str:
    """Return what stands before the paths of the hub in addresses for the client of *request*."""
    return str(request.scope.get("public_path", ""))


def refuse_own(public_path: str, paths: Iterable[str]) -> None:
    """Raise StartError where *public_path* begins as one of *paths* does, those of the hub itself.

    With ``/sources`` nobody could tell whether ``/sources/x`` is the hub's page of x, or its path ``/x``.
    """
    first = public_path.split("/")[1:2]
    if first and first[0] in {path.split("/")[1] for path in paths}:
        raise StartError(
            f"REUSE_SURFACE_PUBLIC_URL: its path begins with /{first[0]}, as paths of the hub itself do. "
            "Choose another, such as /reuse."
        )


class RequestIds:
    """Gives each request an id. The caller's own is kept when it is sane: at most 100 visible ASCII characters."""

    def __init__(self) -> None:
        # Random once, then counted: unique over restarts at next to no cost.
        self._begin = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def of(self, scope: Scope) -> bytes:
        """Return the id of the request of *scope*; to be asked once."""
        for name, value in scope["headers"]:
            if name == REQUEST_ID and _SANE.fullmatch(value):
                return bytes(value)
        return f"{self._begin}-{next(self._numbers):x}".encode()


class Edge:
    """The layer around all endpoints. The id of a request is in ``scope["request_id"]`` and in ``X-Request-ID``."""

    def __init__(self, app: ASGIApp, ids: RequestIds) -> None:
        self._app = app
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and its id back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._ids.of(scope)
        scope["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = identified(message, request_id)
            await send(message)

        await self._app(scope, receive, send_with_id)


def identified(start: Message, request_id: bytes) -> Message:
    """Return the *start* of an answer with the id of its request; *start* stays, it may be one that is sent again."""
    return {**start, "headers": [*start["headers"], (REQUEST_ID, request_id)]}
