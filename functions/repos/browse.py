"""GET /v1/repos: list the registered repositories with the state of their sources.

Filters: domain, enabled, state. Pages by limit and cursor, in the order of the names. Where no registration has the
domain asked for, whatever its state, unmatched says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import json_answer, page
from shared.parameters import cursor, flag, one_of, slug, whole
from shared.query import read_query
from shared.sources.status import STATES

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub
    from shared.parameters import Readers
    from shared.query import Asked
    from shared.registration import Registration
    from shared.sources.status import Status

QUERY: Readers = {
    "domain": slug,
    "enabled": flag,
    "state": one_of(*STATES),
    "limit": whole(1, 1000).otherwise(default=100),
    "cursor": cursor,
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of repositories."""
    asked = read_query(request, **QUERY)

    rows = [(row, hub.sources.status(row.repo)) for row in await hub.store.registrations()]
    wanted = [pair for pair in rows if _matches(asked, *pair)]

    body, headers = page(request, asked, "repos", wanted, lambda pair: pair[0].repo)
    if "domain" in asked and all(row.domain != asked["domain"] for row, _ in rows):
        body["unmatched"] = ["domain"]
    edition = hub.federation.edition
    body["repos"] = [row.as_json() | {"source": edition.described(row.repo, status)} for row, status in body["repos"]]
    return json_answer(body, headers=headers)


def _matches(asked: Asked, row: Registration, status: Status) -> bool:
    facts = {"domain": row.domain, "enabled": row.enabled, "state": status.state}
    return all(asked.get(name, fact) == fact for name, fact in facts.items())
