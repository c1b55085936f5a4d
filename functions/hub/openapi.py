"""GET /openapi.json: the contract as OpenAPI 3.1, with the schemas that the hub checks by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.web.answers import UNCACHED, versioned
from shared.web.query import read_query

if TYPE_CHECKING:
    from shared.web import Hub, Request, Response


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the document, or 304."""
    read_query(request)

    encoded = await hub.contract.encoded()
    return versioned(request, encoded.tag, encoded.content, UNCACHED)
