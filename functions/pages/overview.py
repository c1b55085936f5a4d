"""GET /: the federation at a glance, for people; for programs, links to what they can read.

A program that says nothing of what it accepts, as curl does, gets the links as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.discovery import links
from shared.findings import by_repo
from shared.pages import page, read_page_query
from shared.pages.freshness import WINDOWS, picture
from shared.pages.picture import flowers
from shared.pages.summary import ages, all_well, by_domain, by_state, rows_of
from shared.parameters import Readers, one_of
from shared.web.handling import BROWSED, HTML, JSON, Hub, Request, Response, json_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.findings import Finding
    from shared.model.registration import Registration

_OFFERS = {
    "federated": "/v1/federated",
    "capabilities": "/v1/capabilities",
    "repos": "/v1/repos",
    "catalog": "/.well-known/ard.json",
    "agents": "/llms.txt",
    "client": "/cli.py",
    "openapi": "/openapi.json",
    "health": "/health",
}
"""The paths for programs, by the name of their link."""

_MOST_FINDINGS = 5

QUERY: Readers = {"over": one_of(*WINDOWS).otherwise(default="week")}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the overview, or the links."""
    query = read_page_query(request, (JSON, HTML), **QUERY)
    leading = {"Link": links(hub.settings.public_path)}
    if query.media_type == JSON:
        offers = {name: hub.settings.public + path for name, path in _OFFERS.items()}
        return json_answer({"name": "reuse-surface", "links": offers}, headers={**BROWSED, **leading, "Vary": "Accept"})

    facts = await hub.reads.run(_facts, hub, await hub.findings.current(), await hub.store.registrations())
    spans, over = hub.timeline.spans(facts["by_state"]), query["over"]

    return await page(
        hub,
        request,
        "overview.html",
        headers=leading,
        document=hub.federation.document,
        capabilities=sum(map(len, hub.federation.edition.composition.shares)),
        conflicts=len(hub.federation.edition.composition.conflicts),
        over=over,
        overtime=await hub.reads.run(picture, spans, hub.clock.now(), over),
        **facts,
    )


def _facts(hub: Hub, findings: Sequence[Finding], registrations: Sequence[Registration]) -> dict[str, Any]:
    """Return the variables of the template about all sources; called in a thread."""
    rows, now = rows_of(hub, registrations), hub.clock.now()
    worst = [those[0] for those in by_repo(findings)[:_MOST_FINDINGS]]
    domains = by_domain(rows)
    return {
        "rows": rows,
        "offering": sum(row.served > 0 for row in rows),
        "by_state": by_state(rows),
        "domains": domains,
        "flowers": flowers(domains),
        "confirmed": ages(rows, lambda source: source.succeeded_at, now),
        "changed": ages(rows, lambda source: source.changed_at, now),
        "findings": worst,
        "more": len(findings) - len(worst),
        "well": all_well(rows, scheduled=hub.settings.refresh),
    }
