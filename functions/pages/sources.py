"""GET /sources: every source as one row of a table, for people: sorted, filtered, in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.pages import asked_of, page
from shared.pages.listing import ORDERS, ROWS_A_PAGE, View
from shared.pages.summary import all_rows, by_state
from shared.pages.typed import typed
from shared.parameters import one_of, slug, whole
from shared.sources.status import STATES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub
    from shared.parameters import Readers

QUERY: Readers = {
    "q": typed,
    "state": one_of(*STATES),
    "domain": slug,
    "sort": one_of(*ORDERS).otherwise(default="repo"),
    "order": one_of("down"),
    "page": whole(1, 10**6).otherwise(default=1),
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of the table."""
    asked = asked_of(request, **QUERY)
    view = View(down=bool(asked.pop("order", "")), **asked)

    rows = await all_rows(hub)
    wanted = view.rows(rows)

    return await page(
        hub,
        request,
        "sources.html",
        view=view,
        scheduled=hub.settings.refresh,
        shown=view.cut(wanted),
        total=len(wanted),
        pages=max(1, -(-len(wanted) // ROWS_A_PAGE)),
        all=len(rows),
        by_state=by_state(rows),
        domains=sorted({row.registration.domain for row in rows}),
    )
