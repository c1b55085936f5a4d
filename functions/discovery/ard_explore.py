"""POST /ard/explore: count the values of fields over all that a search of ARD would find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from shared.discovery.requests import FIELDS, read_explore
from shared.web.handling import JSON, Hub, Request, Response, answer

if TYPE_CHECKING:
    from shared.search import SearchResult


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the counts of each field that is asked for."""
    search, facets = await read_explore(request)

    render = _Facets(tuple((facet["field"], facet["limit"], facet["minCount"]) for facet in facets))
    result = await hub.search.answer(search, render)

    return answer(result.body, JSON)


@dataclass(frozen=True, slots=True)
class _Facets:
    """Renders the counts; *fields* are (path, most values, least count of a value), one for each facet."""

    fields: tuple[tuple[str, int, int], ...]

    def __call__(self, result: SearchResult) -> bytes:
        facets = {field: self._buckets(result.facets[FIELDS[field]], most, least) for field, most, least in self.fields}
        return orjson.dumps({"resultType": "facets", "facets": facets})

    def _buckets(self, counts: list[tuple[str, int]], most: int, least: int) -> dict[str, Any]:
        buckets = [{"value": value, "count": count} for value, count in counts if count >= least]
        return {"buckets": buckets[:most], "otherCount": sum(bucket["count"] for bucket in buckets[most:])}
