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
    wanted, facets = await read_explore(request)

    render = _Facets(tuple((one["field"], one["limit"], one["minCount"]) for one in facets))
    found = await hub.search.answer(wanted, render)

    return answer(found.body, JSON)


@dataclass(frozen=True, slots=True)
class _Facets:
    """Makes the answer: for each field its name, how many values are listed, and how often each must occur."""

    fields: tuple[tuple[str, int, int], ...]

    def __call__(self, found: SearchResult) -> bytes:
        facets = {field: self._one(found.facets[FIELDS[field]], most, least) for field, most, least in self.fields}
        return orjson.dumps({"resultType": "facets", "facets": facets})

    def _one(self, counted: list[tuple[str, int]], most: int, least: int) -> dict[str, Any]:
        buckets = [{"value": value, "count": count} for value, count in counted if count >= least]
        return {"buckets": buckets[:most], "otherCount": sum(one["count"] for one in buckets[most:])}
