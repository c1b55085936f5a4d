"""GET /v1/capabilities: find capabilities by words and facts, the best first, in pages.

Without words all that the filters admit are listed, in the order of repos and ids. What is searched follows the
federated index within moments, and shows every write that was answered before; Reuse-Surface-Serial tells its edition.
A repo that is not registered is a 404. Where nothing is found, unmatched names the filters that nothing served meets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from shared.parameters import Readers, flag, short, slug, whole
from shared.search import KINDS, LETTERS, SearchRequest, reading
from shared.web.handling import JSON, Hub, Parameters, Request, Response, next_page, read_query, tag_of, versioned

if TYPE_CHECKING:
    from shared.model.capability import Entry
    from shared.search import SearchResult

_MOST_VALUES = 100
_ALWAYS = ("id", "name", "source_repo")
QUERY: Readers = {
    "q": reading.terms,
    "domain": slug,
    "repo": slug,
    **dict.fromkeys(("status", "tag", "owner", "consumption_mode"), short),
    **{f"min_{kind}": reading.level(kind) for kind in LETTERS},
    "facets": flag.otherwise(default=False),
    "fields": reading.fields,
    "limit": whole(1, 1000).otherwise(default=20),
    "cursor": reading.position,
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of capabilities."""
    query = read_query(request, (JSON,), **QUERY)
    if "repo" in query:
        await hub.store.get(query["repo"])
    search, page = _search_request(query), _Page(query.get("fields"))

    answer = await hub.search.answer(search, page)

    headers = {"Reuse-Surface-Serial": str(answer.serial)}
    following = reading.position_cursor(answer.following)
    if following:
        headers["Link"] = f'<{next_page(request, following)}>; rel="next"'
    tag = tag_of(answer.serial, answer.generated_at, search, page)
    return versioned(request, tag, answer.body, headers)


def _search_request(query: Parameters) -> SearchRequest:
    filters = {kind: (query[kind],) for kind in KINDS if kind in query}
    filters |= {kind: query[f"min_{kind}"] for kind in LETTERS if f"min_{kind}" in query}
    return SearchRequest(
        terms=query.get("q"),
        filters=tuple(filters.items()),
        facets=KINDS if query.get("facets") else (),
        limit=query["limit"],
        after=query.get("cursor"),
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """Renders a search result, each capability whole or, with *fields*, with those members only.

    Members that the contract requires are always there, so that a client reads every answer with one type.
    """

    fields: tuple[str, ...] | None

    def __call__(self, result: SearchResult) -> bytes:
        rest: dict[str, Any] = {"total": result.total, "next": reading.position_cursor(result.following)}
        if result.facets:
            rest["facets"] = {kind: _values(counts) for kind, counts in result.facets.items()}
        if result.unmatched:
            rest["unmatched"] = [reading.parameter(kind) for kind in result.unmatched]
        capabilities = b",".join(self._encoded(hit.entry) for hit in result.hits)
        return b'{"capabilities":[' + capabilities + b"]," + orjson.dumps(rest)[1:]

    def _encoded(self, entry: Entry) -> bytes:
        if self.fields is None:
            return entry.json
        members = entry.decoded().members
        return orjson.dumps({name: members[name] for name in (*_ALWAYS, *self.fields) if name in members})


def _values(counts: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"value": value, "count": count} for value, count in counts[:_MOST_VALUES]]
