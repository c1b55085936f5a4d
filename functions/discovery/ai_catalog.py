"""GET /.well-known/ai-catalog.json: the same catalog as /.well-known/ard.json, under the name of AI Catalog."""

from __future__ import annotations

from shared.discovery import AI_CATALOG
from shared.web.handling import Hub, Request, Response, versioned


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the catalog under the media type of AI catalogs."""
    catalog = await hub.catalogs.root()

    return versioned(request, catalog.tag, catalog.body, {}, AI_CATALOG)
