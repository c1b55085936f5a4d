"""GET /v1/repos/{repo}/ai-catalog.json: the capabilities of one repo as an AI catalog.

Only those that the federated index serves; in several parts where one document would be too large.
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
    registration = await hub.store.get(request.path_params["repo"])

    catalog = await hub.catalogs.of_repo(registration.repo, query["part"])
    if catalog is None:
        raise NotFound("The catalog has fewer parts.")

    return versioned(request, catalog.tag, catalog.body, {"Vary": "Accept"}, query.media_type)
