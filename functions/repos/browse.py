"""GET /v1/repos: list the registered repositories with the state of their sources.

Filters: domain, enabled, state. Pages by limit and cursor, in the order of the names. Where no registration has the
domain asked for, whatever its state, unmatched says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from shared.model.status import STATES
from shared.parameters import Readers, cursor, flag, one_of, slug, whole
from shared.web.handling import Hub, Parameters, Request, Response, json_answer, page, read_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.model.registration import Registration
    from shared.model.status import Status

QUERY: Readers = {
    "domain": slug,
    "enabled": flag,
    "state": one_of(*STATES),
    "limit": whole(1, 1000).otherwise(default=100),
    "cursor": cursor,
}

_FEW = 100
"""Rows that are described in the event loop; more would hold up other requests for some 10 ms."""


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of repositories."""
    query = read_query(request, **QUERY)

    registrations = await hub.store.registrations()
    if query.keys() & {"domain", "enabled", "state"} or query["limit"] > _FEW:
        return await hub.reads.run(_answer, hub, request, query, registrations)
    return _answer(hub, request, query, registrations)


def _answer(hub: Hub, request: Request, query: Parameters, registrations: Sequence[Registration]) -> Response:
    """Return the page for *query*; called in a thread where it may have more than _FEW rows, or has a filter."""
    selected = _Selected(registrations, {})
    if query.keys() & {"domain", "enabled", "state"}:
        selected = _select(query, registrations, hub.sources.status)

    body, headers = page(request, query, "repos", selected.rows, lambda row: row.repo)
    if selected.unmatched:
        body["unmatched"] = selected.unmatched
    body["repos"] = [_described(hub, row, selected.statuses.get(row.repo)) for row in body["repos"]]
    return json_answer(body, headers=headers)


class _Selected(NamedTuple):
    """Registrations that match, the statuses by which they did, and the filters that no registration matches."""

    rows: Sequence[Registration]
    statuses: Mapping[str, Status]
    unmatched: Sequence[str] = ()


def _select(query: Parameters, rows: Sequence[Registration], status_of: Callable[[str], Status]) -> _Selected:
    statuses = {row.repo: status_of(row.repo) for row in rows}
    selected = [row for row in rows if _matches(query, row, statuses[row.repo])]
    # An unknown domain matches nothing; only then are the other registrations looked through.
    misspelt = not selected and "domain" in query and all(row.domain != query["domain"] for row in rows)
    return _Selected(selected, statuses, ["domain"] if misspelt else ())


def _matches(query: Parameters, row: Registration, status: Status) -> bool:
    facts = {"domain": row.domain, "enabled": row.enabled, "state": status.state}
    return all(query.get(name, fact) == fact for name, fact in facts.items())


def _described(hub: Hub, row: Registration, status: Status | None) -> dict[str, Any]:
    status = status or hub.sources.status(row.repo)
    return row.as_json() | {"source": hub.federation.edition.described(row.repo, status)}
