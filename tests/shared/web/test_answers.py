from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from shared.parameters import cursor, slug, whole
from shared.web.answers import answer, if_match, json_answer, next_page, not_modified, page, tag_of, tags, versioned
from shared.web.query import Parameters, read_query
from tests.builders import demand
from tests.shared.asking import asking

if TYPE_CHECKING:
    from shared.model.rules import Precondition


@dataclass
class Shape:
    """Something to answer with."""

    sides: int


OPEN_NAMES = {
    *("access-control-allow-origin", "access-control-expose-headers", "x-content-type-options"),
    *("content-security-policy", "referrer-policy"),
}


def test_an_answer_carries_what_every_public_answer_does() -> None:
    made = answer(b"text", "text/plain", 201)

    assert (made.status_code, made.body) == (201, b"text")
    assert made.headers["content-type"].startswith("text/plain")
    assert set(made.headers.keys()) >= OPEN_NAMES
    assert made.headers["cache-control"] == "no-cache"


def test_headers_given_stand_beside_the_public_ones() -> None:
    made = answer(b"", "text/plain", headers={"Cache-Control": "max-age=60"})

    assert made.headers["cache-control"] == "max-age=60"
    assert set(made.headers.keys()) >= OPEN_NAMES


def test_a_json_answer_is_not_cached_and_writes_dataclasses() -> None:
    made = json_answer({"by": Shape(1)}, 201, {"ETag": '"1"'})

    assert json.loads(bytes(made.body)) == {"by": {"sides": 1}}
    assert (made.status_code, made.headers["content-type"]) == (201, "application/json")
    assert (made.headers["cache-control"], made.headers["etag"]) == ("no-cache", '"1"')


def test_what_a_reader_has_already_is_a_304_and_may_be_kept() -> None:
    whole, known = (versioned(asking(*sent), '"a"', b"{}", {"X": "y"}) for sent in ([], [("if-none-match", '"a"')]))

    assert (whole.status_code, whole.body, whole.headers["content-type"]) == (200, b"{}", "application/json")
    assert (known.status_code, known.body) == (304, b"")
    for made in (whole, known):
        assert (made.headers["etag"], made.headers["x"]) == ('"a"', "y")
        assert made.headers["cache-control"] == "public, max-age=30, stale-if-error=86400"
        assert set(made.headers.keys()) >= OPEN_NAMES


def test_a_304_has_no_header_of_a_body() -> None:
    headers = {"Content-Encoding": "gzip", "Link": "</a>; rel=next", "Vary": "Accept", "Cache-Control": "no-cache"}

    whole, copy = (versioned(asking(*sent), '"a"', b"{}", headers) for sent in ([], [("if-none-match", '"a"')]))

    assert {name: whole.headers[name] for name in headers} == headers
    assert {name: copy.headers.get(name) for name in headers} == headers | {"Content-Encoding": None, "Link": None}


def test_a_tag_stands_for_what_an_answer_is_made_of() -> None:
    assert tag_of(1, "a") == tag_of(1, "a") != tag_of(1, "b")
    assert tags(tag_of(1)) == [(False, tag_of(1))]


def list_page(rows: list[str], query: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the page of *rows* that a query asks for."""
    request = asking(query=query)
    asked = read_query(request, limit=whole(1, 1000), cursor=cursor, domain=slug)
    asked.setdefault("limit", 3)
    return page(request, asked, "names", rows, lambda row: row)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_fits_is_one_page_without_a_link(count: int) -> None:
    rows = ["a", "b", "c"][:count]

    assert list_page(rows, "") == ({"names": rows, "total": count, "next": None}, {})


def test_a_longer_list_links_to_its_next_page() -> None:
    body, headers = list_page(["a", "b", "c", "d"], "domain=helix_forge&limit=2")

    assert (body["names"], body["total"]) == (["a", "b"], 4)
    target = headers["Link"].removeprefix("<").removesuffix('>; rel="next"')
    assert urlsplit(target).path == "/things"
    assert dict(parse_qsl(urlsplit(target).query)) == {"domain": "helix_forge", "limit": "2", "cursor": body["next"]}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), unique=True), st.integers(1, 9))
def test_following_the_links_shows_every_row_once(rows: list[str], limit: int) -> None:
    rows, query, seen = sorted(rows), f"limit={limit}", []
    while True:
        body, headers = list_page(rows, query)
        seen += body["names"]
        assert body["total"] == len(rows)
        if not headers:
            break
        query = urlsplit(headers["Link"][1:].partition(">")[0]).query

    assert (seen, body["next"]) == (rows, None)


def test_a_cursor_stays_good_when_its_row_is_gone() -> None:
    body, _ = list_page(["a", "b", "c"], "limit=2")

    assert list_page(["a", "c"], f"cursor={body['next']}")[0]["names"] == ["c"]


def test_the_next_page_replaces_the_cursor() -> None:
    assert next_page(asking(query="cursor=YQ%3D%3D&limit=2"), "Yg==") == "/things?cursor=Yg%3D%3D&limit=2"


def test_a_page_uses_only_what_was_asked() -> None:
    assert page(asking(), Parameters(limit=1), "names", ["a"], str)[0]["names"] == ["a"]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        pytest.param('"1"', [(False, '"1"')], id="one"),
        pytest.param('W/"1"', [(True, '"1"')], id="a weak one"),
        pytest.param('"1", W/"2" , "a,b"', [(False, '"1"'), (True, '"2"'), (False, '"a,b"')], id="several"),
        pytest.param(" * ", [(False, "*")], id="any"),
        pytest.param('"*"', [(False, '"*"')], id="a star in quotes"),
        pytest.param("1", [], id="no quotes"),
        pytest.param("", [], id="none"),
        pytest.param('""', [(False, '""')], id="an empty tag"),
    ],
)
def test_reads_entity_tags(header: str, found: list[tuple[bool, str]]) -> None:
    assert tags(header) == found


@pytest.mark.parametrize(
    ("lines", "precondition"),
    [
        pytest.param([], None, id="not sent"),
        pytest.param([""], demand(), id="sent empty"),
        pytest.param(["1"], demand(), id="no quotes"),
        pytest.param(["*"], demand("*"), id="any"),
        pytest.param(['"*"'], demand('"*"'), id="a star in quotes"),
        pytest.param(['"1", W/"2"', '"3"'], demand('"1"', '"3"'), id="two lines with a weak one"),
        pytest.param(['W/"1"'], demand(), id="a weak one"),
    ],
)
def test_reads_what_a_write_demands_of_a_registration(lines: list[str], precondition: Precondition | None) -> None:
    headers = [(b"if-match", line.encode()) for line in lines]

    assert if_match(Request({"type": "http", "headers": headers})) == precondition


@pytest.mark.parametrize(
    ("headers", "held"),
    [
        pytest.param([], False, id="no condition"),
        pytest.param([("if-none-match", '"7"')], True, id="the same"),
        pytest.param([("if-none-match", 'W/"7"')], True, id="the same, weak"),
        pytest.param([("if-none-match", "*")], True, id="any"),
        pytest.param([("if-none-match", '"6", "7"')], True, id="one of two"),
        pytest.param([("if-none-match", '"6"'), ("if-none-match", '"7"')], True, id="on another line"),
        pytest.param([("if-none-match", '"6"')], False, id="another"),
        pytest.param([("if-none-match", "7")], False, id="no quotes"),
    ],
)
def test_knows_what_the_caller_has(headers: list[tuple[str, str]], held: bool) -> None:
    assert not_modified(asking(*headers), '"7"') is held


def test_a_page_of_a_long_list_asks_for_few_keys() -> None:
    rows, keys = [f"{number:06}" for number in range(100_000)], []

    def key(row: str) -> str:
        keys.append(row)
        return row

    body, _ = page(asking(), Parameters(limit=2, cursor="050000"), "names", rows, key)

    assert (body["names"], body["total"]) == (["050001", "050002"], 100_000)
    assert len(keys) < 25
