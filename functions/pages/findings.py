"""GET /findings: everything wrong that a person should see, where, since when, and what to do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.findings import KINDS, SEVERITIES, by_repo
from shared.pages import asked_of, page
from shared.pages.summary import all_rows, all_well
from shared.pages.troubles import Troubles
from shared.parameters import one_of, slug, whole

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub
    from shared.parameters import Readers

QUERY: Readers = {
    "severity": one_of(*SEVERITIES),
    "kind": one_of(*KINDS),
    "repo": slug,
    "page": whole(1, 10**6).otherwise(default=1),
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of the list."""
    asked = asked_of(request, **QUERY)
    view = Troubles(**asked)

    found = hub.findings.all()
    wanted = view.of(found)
    repos, rows = by_repo(wanted), await all_rows(hub)

    return await page(
        hub,
        request,
        "findings.html",
        view=view,
        shown=view.cut(repos),
        unknown=bool(view.repo) and view.repo not in {row.registration.repo for row in rows},
        well=all_well(rows),
        total=len(wanted),
        all=len(found),
        pages=view.pages(repos),
        severities=view.severities(found),
        kinds=view.kinds(found),
    )
