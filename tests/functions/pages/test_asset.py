from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from shared.pages.assets import address, assets
from tests.builders import problem

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("name", ["hub.css", "hub.js", "icon.svg"])
async def test_is_the_file_for_ever_under_the_address_that_pages_name(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(address("", name), headers={"Accept-Encoding": "identity"})

    assert (answer.status_code, answer.content) == (200, assets()[name].body)
    assert answer.headers["content-type"] == assets()[name].media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789abcdef"])
async def test_is_asked_for_again_under_any_other(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/assets/hub.js{query}")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


async def test_comes_in_gzip_to_those_who_take_it(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/assets/hub.css", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert (answer.headers["content-encoding"], answer.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(raw) == assets()["hub.css"].body


@pytest.mark.parametrize("coding", ["gzip", "identity"])
async def test_is_not_sent_again_to_those_who_have_it(client: httpx.AsyncClient, coding: str) -> None:
    tag = (await client.get("/assets/hub.js", headers={"Accept-Encoding": coding})).headers["etag"]

    same = await client.get("/assets/hub.js", headers={"Accept-Encoding": coding, "If-None-Match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize("name", ["nothing.css", "..%2Fhub.css", "base.html", "hub.css%00"])
async def test_nothing_else_is_served(client: httpx.AsyncClient, name: str) -> None:
    problem(await client.get(f"/assets/{name}"), "not-found")
