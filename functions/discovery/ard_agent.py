"""GET /ard/agents/{identifier}: the entry of ARD with this URN."""

from __future__ import annotations

import orjson

from shared.discovery.catalogs import lookup
from shared.discovery.naming import is_urn
from shared.discovery.results import FirstEntry
from shared.problems import BadQuery, CapabilityNotFound
from shared.search import SearchRequest
from shared.web.handling import Hub, Request, Response, read_query, tag_of_body, versioned


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the entry, whether its publisher named it or the hub did."""
    read_query(request)
    identifier = request.path_params["identifier"]
    if not is_urn(identifier):
        raise BadQuery("An identifier has the form urn:air:publisher.example:name.")

    # In a thread: an entry has up to 5 MiB, and the pieces of a catalog are counted over all entries of its repo.
    entry = await hub.reads.run(lookup, hub.naming, hub.federation.edition, identifier)
    body = orjson.dumps(entry) if entry else await _published(hub, identifier)
    if not body:
        raise CapabilityNotFound("Nothing here has this identifier.")

    return versioned(request, tag_of_body(body), body, {})


async def _published(hub: Hub, identifier: str) -> bytes:
    search = SearchRequest(filters=(("identifier", (identifier,)),), limit=1)
    return (await hub.search.answer(search, FirstEntry(hub.naming))).body
