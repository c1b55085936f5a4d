"""GET /sources: every source as one row of a table, for people: sorted, filtered, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.model.status import STATES
from shared.pages import page, read_page_query, typed_text
from shared.pages.listing import ORDERS, ROWS_A_PAGE, View
from shared.pages.summary import rows_of
from shared.parameters import Readers, one_of, slug, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.registration import Registration
    from shared.web.handling import Hub, Request, Response

QUERY: Readers = {
    "q": typed_text,
    "state": one_of(*STATES),
    "domain": slug,
    "sort": one_of(*ORDERS).otherwise(default="repo"),
    "order": one_of("down"),
    "page": whole(1, 10**6).otherwise(default=1),
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of the table."""
    query = read_page_query(request, **QUERY)
    view = View(down=bool(query.pop("order", "")), **query)

    facts = await hub.reads.run(_facts, hub, view, await hub.store.registrations())

    return await page(hub, request, "sources.html", view=view, scheduled=hub.settings.refresh, **facts)


def _facts(hub: Hub, view: View, registrations: Sequence[Registration]) -> dict[str, Any]:
    """Return the variables of the template; called in a thread."""
    rows = rows_of(hub, registrations)
    matching = view.rows(rows)
    return {
        "shown": view.cut(matching),
        "total": len(matching),
        "pages": max(1, -(-len(matching) // ROWS_A_PAGE)),
        "all": len(rows),
        "domains": sorted({row.registration.domain for row in rows}),
    }
