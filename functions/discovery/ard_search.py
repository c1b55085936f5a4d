"""POST /ard/search: find capabilities by a description of the need, as ARD registries do.

Any word that tells something is enough; the best fit comes first. Other registries are never asked.
"""

from __future__ import annotations

from shared.discovery.requests import read_search
from shared.discovery.results import Results
from shared.web.handling import JSON, Hub, Request, Response, answer


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of results."""
    search, referrals = await read_search(request)

    results = await hub.search.answer(search, Results(hub.naming, referrals))

    return answer(results.body, JSON)
