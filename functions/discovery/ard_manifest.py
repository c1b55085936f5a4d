"""GET /.well-known/ard.json: the catalog of all that the hub serves, by which ARD clients find it.

It leads to one catalog per repo, or first to one per domain where there are very many. Probes are answered whatever
they accept.
"""

from __future__ import annotations

from shared.web.handling import Hub, Request, Response, versioned


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the catalog as JSON."""
    catalog = await hub.catalogs.root()

    return versioned(request, catalog.tag, catalog.body, {})
