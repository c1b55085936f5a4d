"""Requests made by hand, for the modules that read them without an application around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from shared.web.places import Admission, BodyRoom

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message


def asking(
    *headers: tuple[str, str], query: str = "", chunks: Iterable[bytes] = (), client: str = "192.0.2.1"
) -> Request:
    """Return a request for /things with these headers in this order, a body that arrives in *chunks*, from *client*."""
    left = list(chunks)

    async def receive() -> Message:
        body = left.pop(0) if left else b""
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/things",
        "query_string": query.encode(),
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": (client, 50000) if client else None,
        "server": ("hub", 80),
        "scheme": "http",
    }
    room = BodyRoom(places=1, size=2**30, clients="the tests")
    scope["admission"] = Admission(scope, room, room, lambda: client)
    return Request(scope, receive)
