from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from shared.problems import PROBLEMS
from tests.builders import problem

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("slug", PROBLEMS)
async def test_tells_people_and_programs_the_same(client: httpx.AsyncClient, slug: str) -> None:
    page = await client.get(f"/problems/{slug}", headers={"Accept": "text/html"})
    facts = (await client.get(f"/problems/{slug}", headers={"Accept": "application/json"})).json()

    kind = PROBLEMS[slug]
    wanted = {"slug": slug, "title": kind.title, "status": kind.status, "remedy": kind.remedy}
    assert facts == wanted | {"meaning": kind.meaning()}
    assert facts["meaning"].endswith(".")
    text = unescape(re.sub("<[^>]*>", "", page.text))
    assert all(str(fact) in text for fact in facts.values())


async def test_is_a_page_like_the_others_that_may_be_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get("/problems/repo-disabled")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert answer.headers["cache-control"] == "public, max-age=3600"
    assert not re.search(r"<(style|iframe)|\b(on\w+|style)=|https?:", answer.text)


async def test_what_is_no_markup_is_written_as_text(client: httpx.AsyncClient) -> None:
    answer = await client.get("/problems/repo-disabled")

    assert "{&#34;enabled&#34;: true}" in answer.text


@pytest.mark.parametrize("slug", ["nothing", "Not-Found", "not_found", "%3Cscript%3E"])
async def test_knows_no_other(client: httpx.AsyncClient, slug: str) -> None:
    answer = await client.get(f"/problems/{slug}")

    problem(answer, "not-found")
    assert "instance" in answer.json()


async def test_refuses_what_it_does_not_offer(client: httpx.AsyncClient) -> None:
    problem(await client.get("/problems/not-found?format=json"), "bad-query")
    problem(await client.get("/problems/not-found", headers={"Accept": "application/yaml"}), "not-acceptable")
