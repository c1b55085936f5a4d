"""GET /findings: everything wrong that a person should see, where, since when, and what to do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.findings import KINDS, SEVERITIES, by_repo
from shared.pages import page, read_page_query
from shared.pages.findings import FindingsView
from shared.pages.summary import all_well, rows_of
from shared.parameters import Readers, one_of, slug, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.findings import Finding
    from shared.model.registration import Registration
    from shared.pages.summary import RepoRow
    from shared.web.handling import Hub, Request, Response

QUERY: Readers = {
    "severity": one_of(*SEVERITIES),
    "kind": one_of(*KINDS),
    "repo": slug,
    "domain": slug,
    "page": whole(1, 10**6).otherwise(default=1),
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of the list."""
    query = read_page_query(request, **QUERY)
    view = FindingsView(**query)

    findings, registrations = await hub.findings.current(), await hub.store.registrations()
    facts = await hub.reads.run(_facts, hub, view, findings, registrations)

    return await page(hub, request, "findings.html", view=view, **facts)


def _facts(
    hub: Hub, view: FindingsView, findings: Sequence[Finding], registrations: Sequence[Registration]
) -> dict[str, Any]:
    """Return the variables of the template; called in a thread."""
    matching, rows = view.of(findings), rows_of(hub, registrations)
    repos = by_repo(matching)
    return {
        "shown": view.cut(repos),
        "unknown": [name for name in ("repo", "domain") if not _registered(name, getattr(view, name), rows)],
        "well": all_well(rows, scheduled=hub.settings.refresh),
        "total": len(matching),
        "all": len(findings),
        "pages": view.pages(repos),
        "severities": view.severities(findings),
        "kinds": view.kinds(findings),
    }


def _registered(name: str, value: str, rows: Sequence[RepoRow]) -> bool:
    """Tell whether a registration has *value* in the field *name*, or *value* is empty: else it may be misspelt."""
    return not value or any(getattr(row.registration, name) == value for row in rows)
