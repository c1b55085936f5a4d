"""GET /capabilities: find capabilities by words and facts, for people; the address holds the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from shared.pages import page, read_page_query
from shared.pages.searching import FILTERS, READERS, SearchForm, render

if TYPE_CHECKING:
    from shared.parameters import Readers
    from shared.web.handling import Hub, Request, Response

QUERY: Readers = READERS


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of the results."""
    values = read_page_query(request, **QUERY)
    filters = {name: values[name] for name in FILTERS if name in values}
    query = SearchForm(values.get("q", ""), filters, values.get("cursor", ""))

    answer = await hub.search.answer(query.request(), render)

    offered = any(hub.federation.edition.composition.shares)
    return await page(hub, request, "capabilities.html", query=query, offered=offered, **orjson.loads(answer.body))
