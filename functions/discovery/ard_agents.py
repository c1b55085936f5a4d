"""GET /ard/agents: list all capabilities as entries of ARD, in the order of repos and ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.discovery.listing import QUERY as PARAMETERS
from shared.discovery.listing import read_list
from shared.discovery.results import Listing
from shared.web.handling import Hub, Request, Response, tag_of_body, versioned

if TYPE_CHECKING:
    from shared.parameters import Readers

QUERY: Readers = PARAMETERS


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of entries."""
    search = read_list(request)

    results = await hub.search.answer(search, Listing(hub.naming))

    return versioned(request, tag_of_body(results.body), results.body, {})
