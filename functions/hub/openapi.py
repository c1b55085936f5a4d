"""GET /openapi.json: the contract as OpenAPI 3.1, with the schemas that the hub checks by."""

from __future__ import annotations

from shared.web.handling import UNCACHED, Hub, Request, Response, read_query, versioned


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the document, or 304."""
    read_query(request)

    encoded = await hub.contract.encoded()
    return versioned(request, encoded.tag, encoded.content, UNCACHED)
