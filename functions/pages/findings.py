"""GET /findings: everything wrong that a person should see, where, since when, and what to do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.findings import KINDS, SEVERITIES, by_repo
from shared.pages import asked_of, page
from shared.pages.summary import all_rows, all_well
from shared.pages.troubles import Troubles
from shared.parameters import one_of, slug, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub
    from shared.pages.summary import Row
    from shared.parameters import Readers

QUERY: Readers = {
    "severity": one_of(*SEVERITIES),
    "kind": one_of(*KINDS),
    "repo": slug,
    "domain": slug,
    "page": whole(1, 10**6).otherwise(default=1),
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of the list."""
    asked = asked_of(request, **QUERY)
    view = Troubles(**asked)

    found = await hub.findings.made()
    wanted = view.of(found)
    repos, rows = by_repo(wanted), await all_rows(hub)

    return await page(
        hub,
        request,
        "findings.html",
        view=view,
        shown=view.cut(repos),
        unknown=[name for name in ("repo", "domain") if not _registered(name, getattr(view, name), rows)],
        well=all_well(rows, scheduled=hub.settings.refresh),
        total=len(wanted),
        all=len(found),
        pages=view.pages(repos),
        severities=view.severities(found),
        kinds=view.kinds(found),
    )


def _registered(name: str, value: str, rows: Sequence[Row]) -> bool:
    """Tell whether a registration has *value* in the field *name*; where none is asked for, it is no misspelt one."""
    return not value or any(getattr(row.registration, name) == value for row in rows)
