from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.builders import registration, served, world
from tests.functions.pages.reading import read

if TYPE_CHECKING:
    import httpx

    from shared.settings import Settings


async def test_asks_where_the_index_lies(client: httpx.AsyncClient) -> None:
    page = await read(client, "/register")

    assert page.text("h1") == "Register a repository"
    assert "http://hub/v1/validate" in page.whole
    assert "No token is configured" not in page.whole


async def test_shows_the_commands_and_does_nothing(client: httpx.AsyncClient) -> None:
    before = await world(client)
    given = registration(required="true")

    page = await read(client, "/register?" + "&".join(f"{name}={value}" for name, value in given.items()))

    assert "curl -X POST http://hub/v1/repos" in page.whole
    assert "hub register --repo state-hub" in page.whole
    assert "--required true" in page.whole
    assert " checked>" in page.markup
    assert await world(client) == before


@pytest.mark.parametrize(
    ("query", "said"),
    [("repo=a", "url is required"), ("url=ftp://x&repo=a&domain=b", "url must be"), ("repo=A", "repo does not match")],
)
async def test_says_what_can_not_be_registered(client: httpx.AsyncClient, query: str, said: str) -> None:
    page = await read(client, f"/register?{query}")

    assert said in page.whole
    assert "hub register --" not in page.whole


async def test_what_is_typed_is_text(client: httpx.AsyncClient) -> None:
    page = await read(client, "/register?repo=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&domain='%3Cb%3E")

    assert "<script>alert" not in page.markup
    assert "<b>" not in page.markup


async def test_says_when_nothing_can_be_registered(settings: Settings) -> None:
    async with served(replace(settings, token=None)) as client:
        page = await read(client, "/register")

    assert "No token is configured" in page.whole
    assert "Or do it here" not in page.whole
    assert page.markup.count("data-do=") == 1, "checking needs no token"
