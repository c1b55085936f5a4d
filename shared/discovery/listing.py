"""What a listing of ARD asks for: the filters of its specification, appendix A; every fault is a BadQuery."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.parameters import short, whole
from shared.query import read_query
from shared.search import Wanted, reading
from shared.search.words import words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request

    from shared.compose import Part

_CONDITION = re.compile(r"\s*([A-Za-z]{1,40})\s*([=>])\s*'([^']{1,1000})'\s*", re.ASCII)
_AND = re.compile(r"\sAND\s(?=(?:[^']*'[^']*')*[^']*$)")
_LISTED = {"type": "type", "publisherId": "publisher"}


def read_list(request: Request, parts: Iterable[Part]) -> Wanted:
    """Return what a listing asks for; *parts* are what there is to list."""
    asked = read_query(request, **QUERY, orderBy=_order)
    wanted: dict[str, Any] = {"limit": asked["pageSize"], "after": asked.get("pageToken")}
    filters = []
    for field, value in asked.get("filter", []):
        if field == "displayName":
            wanted |= {"terms": tuple(dict.fromkeys(words(value))), "named": True}
        elif field in _LISTED:
            filters.append((_LISTED[field], tuple(one.strip() for one in value.split(","))))
        else:
            filters.append(("repo", tuple(part.repo for part in parts if _SINCE[field](part) > value)))
    return Wanted(filters=tuple(filters), **wanted)


def _conditions(text: str) -> list[tuple[str, Any]]:
    return [_condition(one) for one in _AND.split(text)]


def _condition(text: str) -> tuple[str, Any]:
    found = _CONDITION.fullmatch(text)
    if found is None or found[1] not in {"displayName", *_LISTED, *_SINCE}:
        raise ValueError(
            "must be conditions such as type = 'text/html' AND updatedAfter > '2026-01-31', on displayName, type, "
            "publisherId, createdAfter or updatedAfter"
        )
    field, sign, value = found.groups()
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


def _time(attribute: Callable[[Part], str | None], part: Part) -> datetime:
    stamp = attribute(part)
    return datetime.fromisoformat(stamp) if stamp else datetime.min.replace(tzinfo=UTC)


_SINCE: dict[str, Callable[[Part], datetime]] = {
    "createdAfter": partial(_time, lambda part: part.registration.registered_at),
    "updatedAfter": partial(_time, lambda part: part.changed_at),
}
QUERY: dict[str, Callable[[str], object]] = {
    "filter": _conditions,
    "pageSize": whole(1, 100).otherwise(default=20),
    "pageToken": reading.position,
}
"""The parameters of a listing that do something; ARD also knows ``orderBy``, which is refused with its reason."""
