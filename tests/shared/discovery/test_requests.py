from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from shared.discovery.requests import MOST_WORDS, page, read_explore, read_search
from shared.problems import BadQuery, MalformedBody
from shared.search import Position, SearchRequest, reading
from tests.shared.asking import asking

if TYPE_CHECKING:
    from starlette.requests import Request


def sending(body: Any) -> Request:
    """Return a request with *body* as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asking(("content-type", "application/json"), chunks=[content])


async def test_a_search_asks_for_some_of_its_words_ten_at_a_time() -> None:
    wanted, referrals = await read_search(sending({"query": {"text": "Find me a PDF, a PDF!"}}))

    assert wanted == SearchRequest(terms=("find", "me", "a", "pdf"), some=True, limit=10)
    assert not referrals


async def test_a_search_may_filter_and_go_on() -> None:
    after = Position(3, "ours", "x")
    filters = {"type": "text/html", "tags": ["a", 1], "metadata.domain": ["x"]}
    body = {"query": {"text": "x", "filter": filters, "@context": "y"}, "federation": "referrals", "pageSize": 100,
            "pageToken": reading.position_cursor(after), "other": 1}  # fmt: skip

    wanted, referrals = await read_search(sending(body))

    assert wanted.filters == (("type", ("text/html",)), ("tag", ("a", "1")), ("domain", ("x",)))
    assert (wanted.limit, wanted.after, referrals) == (100, after, True)


async def test_a_text_of_very_many_words_is_searched_by_its_first() -> None:
    wanted, _ = await read_search(sending({"query": {"text": " ".join(f"w{number}" for number in range(300))}}))

    assert wanted.terms
    assert len(wanted.terms) == MOST_WORDS


async def test_a_text_without_a_word_is_not_a_wish_for_everything() -> None:
    wanted, _ = await read_search(sending({"query": {"text": "?"}}))

    assert wanted.terms == ()


async def test_an_exploration_may_look_at_everything() -> None:
    facets = [{"field": "type"}, {"field": "metadata.availability", "limit": 3, "minCount": 2}]

    wanted, asked = await read_explore(sending({"resultType": {"facets": facets}}))

    assert wanted == SearchRequest(some=True, facets=("type", "availability"), limit=1)
    assert asked == [
        {"field": "type", "limit": 20, "minCount": 1}, {"field": "metadata.availability", "limit": 3, "minCount": 2},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "mapping"),
        ({}, "/query is required"),
        ({"query": {}}, "/query/text is required"),
        ({"query": {"text": 1}}, "/query/text must be text"),
        ({"query": {"text": "x" * 2001}}, "/query/text is longer than 2,000"),
        ({"query": {"text": "x", "filter": []}}, "/query/filter must be a mapping"),
        ({"query": {"text": "x", "filter": {"colour": "red"}}}, "'colour'"),
        ({"query": {"text": "x", "filter": {"type": {}}}}, "type takes a value"),
        ({"query": {"text": "x", "filter": {"type": [[]]}}}, "type takes a value"),
        ({"query": {"text": "x", "filter": {"type": ["x"] * 101}}}, "at most 100"),
        ({"query": {"text": "x"}, "federation": "all"}, "/federation"),
        ({"query": {"text": "x"}, "pageSize": 0}, "/pageSize must be at least 1"),
        ({"query": {"text": "x"}, "pageSize": 101}, "/pageSize must be at most 100"),
        ({"query": {"text": "x"}, "pageSize": 1.5}, "/pageSize must be a whole number"),
        ({"query": {"text": "x"}, "pageToken": "x"}, "pageToken must be"),
    ],
)
async def test_a_search_that_is_not_understood_is_refused_with_what_is_wrong(body: Any, says: str) -> None:
    with pytest.raises(BadQuery, match=says):
        await read_search(sending(body))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "/resultType is required"),
        ({"resultType": {}}, "/resultType/facets is required"),
        ({"resultType": {"facets": [{}]}}, "/resultType/facets/0/field is required"),
        ({"resultType": {"facets": [{"field": "x"}]}}, "'x'"),
        ({"resultType": {"facets": [{"field": "type", "limit": 0}]}}, "at least 1"),
        ({"resultType": {"facets": [{"field": "type"}] * 21}}, "more than 20"),
    ],
)
async def test_an_exploration_that_is_not_understood_is_refused(body: Any, says: str) -> None:
    with pytest.raises(BadQuery, match=says):
        await read_explore(sending(body))


async def test_a_body_that_is_not_json_is_refused() -> None:
    with pytest.raises(MalformedBody):
        await read_search(sending(b"{"))


def test_no_token_is_the_first_page() -> None:
    assert page(None) is None


async def test_a_whole_number_may_be_written_with_a_point() -> None:
    wanted, _ = await read_search(sending({"query": {"text": "x"}, "pageSize": 7.0}))
    _, asked = await read_explore(sending({"resultType": {"facets": [{"field": "type", "limit": 3.0}]}}))

    assert (repr(wanted.limit), repr(asked[0]["limit"])) == ("7", "3")
