"""GET /cli.py.sha256: the SHA-256 of the client, as `sha256sum --check` reads it."""

from __future__ import annotations

from shared.client_file import HEADERS, client_file
from shared.web.handling import Hub, Request, Response, read_query, versioned


async def handle(_hub: Hub, request: Request) -> Response:
    """Answer the line, or 304."""
    read_query(request, ("text/plain",))

    file = client_file()
    return versioned(request, file.digest_etag, file.digest_line, HEADERS, "text/plain")
