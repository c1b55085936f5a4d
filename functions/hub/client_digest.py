"""GET /cli.py.sha256: the SHA-256 of the client, as `sha256sum --check` reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from shared.answers import answer, not_modified
from shared.client_file import client_file
from shared.query import read_query

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.hub import Hub


async def handle(_hub: Hub, request: Request) -> Response:
    """Answer the line, or 304."""
    read_query(request, ("text/plain",))

    file = client_file()

    headers = file.headers(file.digest_etag)
    if not_modified(request, file.digest_etag):
        return Response(status_code=304, headers=headers)
    return answer(file.digest_line, "text/plain; charset=utf-8", headers=headers)
