"""GET /cli.py: the client, byte for byte the cli.py of this hub, to be downloaded with curl and run.

It is a convenience copy: whoever could replace it here could replace its digest, too.
"""

from __future__ import annotations

from shared.client_file import HEADERS, client_file
from shared.web.handling import Hub, Request, Response, read_query, versioned


async def handle(_hub: Hub, request: Request) -> Response:
    """Answer the file, or 304."""
    read_query(request, ("text/x-python",))

    file = client_file()
    return versioned(request, file.etag, file.body, HEADERS, "text/x-python")
