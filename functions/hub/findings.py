"""GET /v1/findings: everything wrong that a person should see, with what to do about it.

Filters: repo, domain, kind, severity; a repo that is not registered is a 404, and where no registration has the domain
unmatched says so. One cause is one finding. The gravest first; pages by limit and cursor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.findings import KINDS, SEVERITIES, Finding
from shared.parameters import Readers, cursor, one_of, slug, whole
from shared.web.handling import Hub, Parameters, Request, Response, json_answer, page, read_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.model.registration import Registration

QUERY: Readers = {
    "repo": slug,
    "domain": slug,
    "kind": one_of(*KINDS),
    "severity": one_of(*SEVERITIES),
    "limit": whole(1, 1000).otherwise(default=100),
    "cursor": cursor,
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of findings."""
    query = read_query(request, **QUERY)
    if "repo" in query:
        await hub.store.get(query["repo"])  # so that a misspelt name is no proof that nothing is wrong

    filtered = query.keys() & {"repo", "domain", "kind", "severity"}
    registrations = await hub.store.registrations() if filtered else ()
    # In a thread: a page may hold a thousand findings of a hundred faults each.
    return await hub.reads.run(_answer, request, query, await hub.findings.current(), registrations)


def _answer(
    request: Request, query: Parameters, findings: Sequence[Finding], registrations: Sequence[Registration]
) -> Response:
    """Return the page of the findings that match *query*, and the filters that no registration matches."""
    matching = [finding for finding in findings if _matches(query, finding)]
    body, headers = page(request, query, "findings", matching, Finding.key)
    if "domain" in query and all(row.domain != query["domain"] for row in registrations):
        body["unmatched"] = ["domain"]
    body["findings"] = [finding.as_json() for finding in body["findings"]]
    return json_answer(body, headers=headers)


def _matches(query: Parameters, finding: Finding) -> bool:
    facts = {"repo": finding.repo, "domain": finding.domain, "severity": finding.severity}
    return query.get("kind", finding.kind) in finding.kinds and all(
        query.get(name, fact) == fact for name, fact in facts.items()
    )
