"""Reads the query of a listing of ARD, with the filters of its specification, appendix A; every fault is a BadQuery."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.parameters import ParameterReader, short, whole
from shared.search import SearchRequest, reading
from shared.search.query import words
from shared.web.query import read_query

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.web import Request

MOST_LETTERS, MOST_CONDITIONS = 4000, 20
"""Characters of a filter, and conditions in it."""

# Possessive quantifiers (++ and *+) never backtrack, so that a filter is read in linear time.
_CONDITION = re.compile(r"\s*+([A-Za-z]{1,40}+)\s*+([=>])\s*+'([^']{1,1000}+)'", re.ASCII)
_AND = re.compile(r"\s++AND(?=\s)")
_LISTED = {"type": "type", "publisherId": "publisher"}
_SINCE = {"createdAfter": "registered_at", "updatedAfter": "changed_at"}


def read_list(request: Request) -> SearchRequest:
    """Return the query of *request* as a SearchRequest; raise BadQuery."""
    query = read_query(request, **QUERY, orderBy=_order)
    fields: dict[str, Any] = {"limit": query["pageSize"], "after": query.get("pageToken")}
    filters, since = [], dict[str, datetime]()
    for field, value in query.get("filter", []):
        if field == "displayName":
            fields |= {"terms": tuple(dict.fromkeys(words(value))), "named": True}
        elif field in _LISTED:
            filters.append((_LISTED[field], tuple(item.strip() for item in value.split(","))))
        else:
            # Conditions are joined by AND, so the latest of several moments decides.
            since[_SINCE[field]] = max(value, since.get(_SINCE[field], value))
    return SearchRequest(filters=tuple(filters), since=tuple(since.items()), **fields)


def _conditions(text: str) -> list[tuple[str, Any]]:
    if len(text) > MOST_LETTERS:
        raise ValueError(f"must be at most {MOST_LETTERS:,} characters long")
    conditions: list[tuple[str, Any]] = []
    text, end = text.rstrip(), 0
    while end < len(text) or not conditions:
        if len(conditions) == MOST_CONDITIONS:
            raise ValueError(f"must have at most {MOST_CONDITIONS} conditions")
        joint = _AND.match(text, end) if conditions else None
        match = _CONDITION.match(text, joint.end() if joint else end)
        if match is None or (conditions and joint is None):
            raise ValueError(_CONDITIONS)
        conditions.append(_condition(*match.groups()))
        end = match.end()
    return conditions


_CONDITIONS = (
    "must be conditions such as type = 'text/html' AND updatedAfter > '2026-01-31', on displayName, type, publisherId, "
    "createdAfter or updatedAfter"
)


def _condition(field: str, sign: str, value: str) -> tuple[str, Any]:
    if field not in {"displayName", *_LISTED, *_SINCE}:
        raise ValueError(_CONDITIONS)
    if field in _SINCE:
        return field, _moment(value)
    if sign != "=":
        raise ValueError(f"can compare {field} with = only")
    return field, short(value)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as fault:
        raise ValueError("can compare times in the form of 2026-01-31 or 2026-01-31T12:00:00Z only") from fault
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _order(text: str) -> str:
    raise ValueError(f"can't be {text[:100]!r}: entries come in the order of their repos and ids only")


QUERY: dict[str, Callable[[str], object]] = {
    "filter": ParameterReader(_conditions, {"type": "string", "maxLength": MOST_LETTERS}),
    "pageSize": whole(1, 100).otherwise(default=20),
    "pageToken": reading.position,
}
"""The parameters of a listing that it supports; ``orderBy``, which ARD has too, is refused with its reason."""
