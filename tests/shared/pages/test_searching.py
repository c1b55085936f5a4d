from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shared.model.capability import Capability
from shared.pages.searching import FILTERS, READERS, SearchForm, described, render
from shared.parameters import cursor_to
from shared.search import KINDS, LETTERS, Position
from tests.builders import capability, index, refresh, register, searchable, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub

CURSOR = cursor_to("5 state-hub capability.example.n1")


def test_an_address_says_the_whole_search() -> None:
    query = SearchForm("read invoice", {"domain": "x", "min_availability": "A3"}, CURSOR)

    end = f"domain=x&min_availability=A3&cursor={CURSOR.replace('=', '%3D')}"
    assert query.address == f"/capabilities?q=read+invoice&{end}"
    assert query.for_programs == f"/v1{query.address}"
    assert SearchForm("", {}).address == "/capabilities"


def test_a_filter_is_set_and_taken_back_from_the_first_page_on() -> None:
    query = SearchForm("a", {"domain": "x"}, CURSOR)

    assert query.with_filter("tag", "<b>").address == "/capabilities?q=a&domain=x&tag=%3Cb%3E"
    assert query.with_filter("domain", "").address == "/capabilities?q=a"
    assert query.next("zz").address == "/capabilities?q=a&domain=x&cursor=zz"


def test_a_search_is_that_of_the_api() -> None:
    wanted = SearchForm("Read, invoice", {"min_availability": "3", "status": "stable"}, CURSOR).request()

    assert wanted.terms == ("read", "invoice")
    assert dict(wanted.filters) == {"availability": ("A3", "A4", "A5", "A6", "A7", "A8", "A9"), "status": ("stable",)}
    assert wanted.after == Position(5, "state-hub", "capability.example.n1")
    assert SearchForm("", {}).request().terms is None


def test_every_fact_narrows() -> None:
    assert {name.removeprefix("min_") for name in FILTERS} == set(KINDS)
    assert set(READERS) == {"q", "cursor", *FILTERS}


@pytest.mark.parametrize(
    ("name", "text"), [("cursor", "x"), ("min_availability", "D4"), ("min_reliability", "high"), ("tag", "x" * 201)]
)
def test_what_can_not_be_meant_is_refused(name: str, text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        READERS[name](text)


def test_what_is_read_stays_as_it_was_written() -> None:
    assert READERS["min_availability"](" A4 ") == "A4"
    assert READERS["cursor"](CURSOR) == CURSOR


def test_an_entry_is_described_with_every_field_of_the_page() -> None:
    bare = described(Capability(capability(1, source_repo="state-hub")))
    whole = described(Capability(capability(1, vector="D5 / A4 / R2", url="https://a.example/", tags=["x"])))
    linked = described(Capability(capability(1, entry_url="https://b.example/", url="https://a.example/")))

    assert {*bare} == {*whole}
    assert (bare["levels"], bare["link"], bare["summary"], bare["tags"]) == ([], "", "", [])
    assert (whole["levels"], whole["link"]) == ([("D", 5), ("A", 4), ("R", 2)], "https://a.example/")
    assert whole["tags"] == ["x"]
    assert linked["link"] == "https://b.example/"
    assert set(LETTERS.values()) == {"D", "A", "C", "R"}


async def test_what_is_shown_of_a_search(client: httpx.AsyncClient, hub: Hub, upstream: respx.MockRouter) -> None:
    entries = [capability(number, tags=[f"t{number}"], status="stable") for number in range(40)]
    upstream.get(url_of("state-hub")).respond(content=index(*entries))
    await register(client)
    await refresh(client)
    await searchable(client)

    answer = json.loads((await hub.search.answer(SearchForm("example", {}).request(), render)).body)

    assert (answer["total"], len(answer["hits"])) == (40, 30)
    assert {hit["domain"] for hit in answer["hits"]} == {"helix_forge"}
    assert answer["facets"]["status"] == [["stable", 40]]
    assert (len(answer["facets"]["tag"]), answer["more"]["tag"]) == (30, 10)
    assert READERS["cursor"](answer["next"]) == answer["next"]
