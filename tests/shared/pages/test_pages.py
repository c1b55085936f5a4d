from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from shared.pages import read_page_query, typed_text
from shared.parameters import one_of
from shared.problems import BadQuery
from tests.functions.pages.reading import FOR_PEOPLE, read

if TYPE_CHECKING:
    import httpx


def request(query: str = "", path: str = "/sources", accept: str = "text/html") -> Request:
    headers = [(b"accept", accept.encode())]
    return Request({"type": "http", "path": path, "query_string": query.encode(), "headers": headers})


@pytest.mark.parametrize("query", ["", "colour=red", "state=", "state=+&other=1"])
def test_a_page_ignores_what_it_does_not_know_and_what_is_empty(query: str) -> None:
    assert read_page_query(request(query), state=one_of("fresh")) == {}


def test_a_page_reads_what_it_knows_strictly() -> None:
    assert read_page_query(request("state=fresh&x=1"), state=one_of("fresh")) == {"state": "fresh"}
    with pytest.raises(BadQuery):
        read_page_query(request("state=red"), state=one_of("fresh"))


@pytest.mark.parametrize(
    ("path", "accept", "people"),
    [
        ("/sources/nobody", "text/html,*/*;q=0.8", True),
        ("/nowhere", "text/html", True),
        ("/v1", "text/html", True),
        ("/sources/nobody", "*/*", False),
        ("/sources/nobody", "text/html,*/*", True),
        ("/sources/nobody", "text/html;q=0,*/*", False),
        ("/sources/nobody", "TEXT/HTML", True),
        ("/sources/nobody", "application/json", False),
        ("/v1/repos/nobody", "text/html", False),
        ("/v1/nowhere", "text/html", False),
        ("/schemas/nothing", "text/html", False),
        ("/ard/agents/nobody", "text/html", False),
        ("/ard/nowhere", "text/html", False),
        ("/.well-known/nothing", "text/html", True),
    ],
)
async def test_failures_are_pages_to_people_and_data_in_the_api(
    client: httpx.AsyncClient, path: str, accept: str, people: bool
) -> None:
    answer = await client.get(path, headers={"Accept": accept})

    assert answer.status_code in {404, 406}
    assert answer.headers["content-type"].startswith("text/html") is people


async def test_a_page_comes_in_gzip_to_those_who_take_it(client: httpx.AsyncClient) -> None:
    plain = await client.get("/sources", headers={**FOR_PEOPLE, "Accept-Encoding": "identity"})
    async with client.stream("GET", "/sources", headers={**FOR_PEOPLE, "Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert gzip.decompress(raw) == plain.content
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept, Accept-Encoding"


async def test_what_goes_wrong_is_told_as_a_page_to_those_who_take_html(client: httpx.AsyncClient) -> None:
    page = await read(client, "/nowhere", status=404)

    assert page.text("h1") == "There is nothing here"
    answer = await client.post("/", headers=FOR_PEOPLE)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert answer.headers["cache-control"] == "no-store"


def test_what_is_typed_is_cut_to_size() -> None:
    assert typed_text("  " + "x" * 300 + " ") == "x" * 200
    assert typed_text(" read  invoice\n") == "read  invoice"


def test_what_comes_along_unseen_is_taken_out() -> None:
    assert typed_text("\ufeffread \u202einvoice\u202c\x00\u200b\u200b\u200b") == "read invoice"
    assert typed_text("\u0645\u06cc\u200c\u062e\u0648") == "\u0645\u06cc\u200c\u062e\u0648"
