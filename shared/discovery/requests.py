"""Reads and checks the bodies of ARD's requests (its specification, section 7); every fault is a BadQuery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared import schemas
from shared.problems import BadQuery
from shared.search import SearchRequest, reading
from shared.search.facts import LETTERS
from shared.search.query import words
from shared.web.body import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.problems import Offence
    from shared.search import Position
    from shared.web import Request

FIELDS = {
    "type": "type",
    "tags": "tag",
    "publisher": "publisher",
    "metadata.domain": "domain",
    "metadata.source_repo": "repo",
    "metadata.status": "status",
    "metadata.owner": "owner",
    **{f"metadata.{kind}": kind for kind in LETTERS},
}
"""The paths by which entries can be filtered and counted, each with its kind of fact in the search."""

MOST_WORDS = 40
_TEXT = {"type": "string", "maxLength": 2000}
_QUERY = {
    "type": "object",
    "properties": {
        "text": _TEXT,
        "filter": {"type": "object"},
    },
}
_PAGE = {"pageSize": {"type": "integer", "minimum": 1, "maximum": 100}, "pageToken": {"type": "string"}}
_COUNTED = {"type": "integer", "minimum": 1, "maximum": 1000}


def _checker(required: list[str], **properties: object) -> Callable[[object], list[Offence]]:
    draft = "http://json-schema.org/draft-07/schema#"
    return schemas.checker_of({"$schema": draft, "type": "object", "required": required, "properties": properties})


_check_search = _checker(
    ["query"],
    query={**_QUERY, "required": ["text"]},
    federation={"type": "string", "pattern": "^(auto|referrals|none)$"},
    **_PAGE,
)
_check_explore = _checker(
    ["resultType"],
    query=_QUERY,
    resultType={
        "type": "object",
        "required": ["facets"],
        "properties": {
            "facets": {
                "type": "array",
                "maxItems": 20,
                "items": {
                    "type": "object",
                    "required": ["field"],
                    "properties": {"field": {"type": "string"}, "limit": _COUNTED, "minCount": _COUNTED},
                },
            }
        },
    },
)


async def read_search(request: Request) -> tuple[SearchRequest, bool]:
    """Return the SearchRequest of a search, and whether it asks for referrals to other registries.

    Raise BadQuery, and the problems of ``read_json``.
    """
    body = await _read(request, _check_search)
    # JSON knows one kind of number: 10.0 is the integer 10.
    search = _search_request(body["query"], limit=int(body.get("pageSize", 10)), after=page(body.get("pageToken")))
    return search, body.get("federation") == "referrals"


async def read_explore(request: Request) -> tuple[SearchRequest, list[dict[str, Any]]]:
    """Return the SearchRequest of an exploration, and its facets as ``{"field", "limit", "minCount"}``.

    Raise BadQuery, and the problems of ``read_json``.
    """
    body = await _read(request, _check_explore)
    facets = [
        {**facet, "limit": int(facet.get("limit", 20)), "minCount": int(facet.get("minCount", 1))}
        for facet in body["resultType"]["facets"]
    ]
    kinds = tuple(_kind(facet["field"]) for facet in facets)
    return _search_request(body.get("query", {}), limit=1, facets=kinds), facets


async def _read(request: Request, check: Callable[[object], list[Offence]]) -> dict[str, Any]:
    body = await read_json(request)
    if offences := check(body):
        raise BadQuery("; ".join(f"{offence.pointer} {offence.detail}".strip() for offence in offences[:5]) + ".")
    checked: dict[str, Any] = body
    return checked


def _search_request(query: dict[str, Any], **more: Any) -> SearchRequest:  # noqa: ANN401 - fields of SearchRequest
    filters = tuple((_kind(path), _values(path, value)) for path, value in query.get("filter", {}).items())
    if "text" in query:
        more["terms"] = tuple(dict.fromkeys(words(query["text"])))[:MOST_WORDS]
    return SearchRequest(some=True, filters=filters, **more)


def _kind(path: str) -> str:
    if path not in FIELDS:
        raise BadQuery(f"Entries can't be filtered or counted by {path[:100]!r}, but by {', '.join(FIELDS)}.")
    return FIELDS[path]


def _values(path: str, value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    if len(values) > 100 or not all(isinstance(item, str | int | float) for item in values):  # noqa: PLR2004 - as documented
        raise BadQuery(f"The filter {path} takes a value, or a list of at most 100.")
    return tuple(map(str, values))


def page(token: str | None) -> Position | None:
    """Return the position in *token*, a ``pageToken``, None without one; raise BadQuery for a malformed one."""
    if token is None:
        return None
    try:
        return reading.position(token)
    except ValueError as fault:
        raise BadQuery(f"pageToken {fault}.") from fault

