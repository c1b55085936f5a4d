"""GET /v1/domains: list the domains, each with how many repositories and served capabilities are of it.

A domain is one that a registration has or a served capability states. Pages by limit and cursor, in the order of the
names. As in GET /v1/capabilities, Reuse-Surface-Serial tells the edition whose capabilities were counted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import orjson

from shared.parameters import Readers, cursor, whole
from shared.search import SearchRequest
from shared.web.handling import UNCACHED, Hub, Parameters, Request, Response, page, read_query, tag_of_body, versioned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.registration import Registration
    from shared.search import SearchAnswer, SearchResult

QUERY: Readers = {"limit": whole(1, 1000).otherwise(default=100), "cursor": cursor}

_EVERY_CAPABILITY = SearchRequest(facets=("domain",), limit=1)


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of domains, or 304."""
    query = read_query(request, **QUERY)

    counts = await hub.search.answer(_EVERY_CAPABILITY, _served_counts)
    registrations = await hub.store.registrations()
    # In a thread: every registration and every domain is looked at, whatever the page.
    return await hub.reads.run(_answer, request, query, registrations, counts)


def _served_counts(result: SearchResult) -> bytes:
    """Return ``{domain: count of its served capabilities}`` as JSON, which the search caches for an edition."""
    return orjson.dumps(dict(result.facets["domain"]))


def _answer(
    request: Request, query: Parameters, registrations: Sequence[Registration], counts: SearchAnswer
) -> Response:
    served: dict[str, int] = orjson.loads(counts.body)
    repos = Counter(row.domain for row in registrations)

    body, headers = page(request, query, "domains", sorted(served.keys() | repos.keys()), str)
    body["domains"] = [
        {"domain": name, "repo_count": repos[name], "served_count": served.get(name, 0)} for name in body["domains"]
    ]
    content = orjson.dumps(body)
    headers |= UNCACHED | {"Reuse-Surface-Serial": str(counts.serial)}
    return versioned(request, tag_of_body(content), content, headers)
