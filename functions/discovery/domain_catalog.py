"""GET /ard/catalogs/{domain}: an AI catalog that leads to the repos of one domain.

The catalog under /.well-known leads here where it would be too large with all repos.
"""

from __future__ import annotations

from shared.discovery import AI_CATALOG
from shared.parameters import Readers, whole
from shared.problems import NotFound
from shared.web.handling import JSON, Hub, Request, Response, read_query, versioned

QUERY: Readers = {"part": whole(1, 9999).otherwise(default=1)}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one part of the catalog."""
    query = read_query(request, (AI_CATALOG, JSON), **QUERY)
    domain, part = request.path_params["domain"], query["part"]

    catalog = await hub.catalogs.of_domain(domain, part)
    if catalog is None:
        raise NotFound(f"No repo of {domain} serves anything, or there is no part {part}.")

    return versioned(request, catalog.tag, catalog.body, {"Vary": "Accept"}, query.media_type)
