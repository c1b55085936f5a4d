"""The outermost layers: they strip the public path from a request, and give it an id."""

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

    Inside this layer ``scope["path"]`` begins as the router's paths do, and ``scope["public_path"]`` is the prefix that
    links in answers need.
    """

    def __init__(self, app: ASGIApp, public_path: str) -> None:
        self._app = app
        self._public_path = public_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with its path stripped; anything but HTTP passes unchanged."""
        if scope["type"] == "http":
            scope = {**scope, "public_path": self._public_path, "path": self._own(scope["path"])}
        await self._app(scope, receive, send)

    def _own(self, path: str) -> str:
        if path != self._public_path and not path.startswith(f"{self._public_path}/"):
            return path
        return path[len(self._public_path) :] or "/"


def public_path(request: Request) -> str:
    """Return the prefix of the hub's paths in links for the client of *request*, such as ``/reuse``; empty without."""
    return str(request.scope.get("public_path", ""))


def refuse_own(public_path: str, paths: Iterable[str]) -> None:
    """Raise StartError where *public_path* has the first segment of one of *paths*, the router's.

    With ``/sources`` as public path, ``/sources/x`` could be the hub's page of the source x or its path ``/x``.
    """
    first = public_path.split("/")[1:2]
    if first and first[0] in {path.split("/")[1] for path in paths}:
        raise StartError(
            f"REUSE_SURFACE_PUBLIC_URL: its path begins with /{first[0]}, as paths of the hub itself do. "
            "Choose another, such as /reuse."
        )


class RequestIds:
    """Gives each request an id: the caller's ``X-Request-ID`` where that is 1 to 100 visible ASCII characters."""

    def __init__(self) -> None:
        # Random once, then counted: unique over restarts at next to no cost.
        self._begin = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def of(self, scope: Scope) -> bytes:
        """Return the id of the request of *scope*, a new one with each call: call it once for each request."""
        for name, value in scope["headers"]:
            if name == REQUEST_ID and _SANE.fullmatch(value):
                return bytes(value)
        return f"{self._begin}-{next(self._numbers):x}".encode()


class Edge:
    """The layer that puts the id of a request into ``scope["request_id"]`` and the answer's ``X-Request-ID``."""

    def __init__(self, app: ASGIApp, ids: RequestIds) -> None:
        self._app = app
        self._ids = ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, and add its id to the head of its answer; anything but HTTP passes unchanged."""
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
    """Return a copy of *start* with ``X-Request-ID``; *start* may be a cached one, and is left unchanged."""
    return {**start, "headers": [*start["headers"], (REQUEST_ID, request_id)]}
