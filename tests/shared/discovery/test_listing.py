from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.discovery.listing import read_list
from shared.problems import BadQuery
from shared.search import Position, SearchRequest, reading
from tests.shared.asking import asking


def wanted(**params: str) -> SearchRequest:
    return read_list(asking(query=urlencode(params)))


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 11, 23, hour, minute, second, tzinfo=UTC)


def test_a_listing_shows_everything_twenty_at_a_time() -> None:
    assert wanted() == SearchRequest(limit=20)


def test_a_listing_goes_on() -> None:
    after = Position(None, "ours", "x")

    assert wanted(pageSize="7", pageToken=str(reading.position_cursor(after))) == SearchRequest(limit=7, after=after)


@pytest.mark.parametrize(
    ("condition", "asks"),
    [
        ("displayName = 'Weather now'", {"terms": ("weather", "now"), "named": True}),
        ("type='text/html, a/b'", {"filters": (("type", ("text/html", "a/b")),)}),
        ("publisherId = 'x.org' AND type = 'a/b'", {"filters": (("publisher", ("x.org",)), ("type", ("a/b",)))}),
        ("displayName = 'this AND that'", {"terms": ("this", "and", "that"), "named": True}),
        (" type='a'  AND\tpublisherId='b' ", {"filters": (("type", ("a",)), ("publisher", ("b",)))}),
        ("createdAfter > '2026-11-23T10:00:01Z'", {"since": (("registered_at", at(10, 0, 1)),)}),
        ("createdAfter = '2026-11-23'", {"since": (("registered_at", at(0)),)}),
        ("updatedAfter > '2026-11-23T10:59:59+01:00'", {"since": (("changed_at", at(9, 59, 59)),)}),
        (
            "createdAfter > '2026-11-23' AND updatedAfter > '2026-11-23T09:00:00' AND createdAfter > '2026-11-22'",
            {"since": (("registered_at", at(0)), ("changed_at", at(9)))},
        ),
    ],
)
def test_conditions_become_filters(condition: str, asks: dict[str, Any]) -> None:
    assert wanted(filter=condition) == SearchRequest(limit=20, **asks)


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"filter": ""}, "conditions such as"),
        ({"filter": "colour = 'red'"}, "conditions such as"),
        ({"filter": "type = html"}, "conditions such as"),
        ({"filter": "type = 'a' OR type = 'b'"}, "conditions such as"),
        ({"filter": "type > 'a'"}, "type with = only"),
        ({"filter": "createdAfter > 'today'"}, "can compare times"),
        ({"filter": "type = 'a' AND "}, "conditions such as"),
        ({"filter": f"type = '{'a' * 201}'"}, "1 to 200"),
        ({"filter": "type = 'a' AND publisherId = 'b"}, "conditions such as"),
        ({"filter": "type = 'a'AND type = 'b'"}, "conditions such as"),
        ({"filter": "type = 'a' ANDtype = 'b'"}, "conditions such as"),
        ({"filter": "type = 'a' type = 'b'"}, "conditions such as"),
        ({"filter": f"type = '{'a' * 3993}"}, "at most 4,000 characters"),
        ({"filter": " AND ".join(["type = 'a'"] * 21)}, "at most 20 conditions"),
        ({"orderBy": "displayName"}, "orderBy"),
        ({"pageSize": "101"}, "pageSize"),
        ({"pageToken": "x"}, "pageToken"),
        ({"page": "1"}, "page"),
    ],
)
def test_what_is_not_understood_is_refused(params: dict[str, str], says: str) -> None:
    with pytest.raises(BadQuery, match=says):
        wanted(**params)
