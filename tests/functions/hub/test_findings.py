from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.findings import Finding
from shared.findings.finding import finding_of
from tests.builders import WRITER, capability, index, problem, refresh, register, url_of

if TYPE_CHECKING:
    import httpx
    import respx

PATH = "/v1/findings"


@pytest.fixture
async def troubled(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with a repo that was never fetched, one that fails, and one with two faults."""
    upstream.get(url_of("down")).respond(500)
    upstream.get(url_of("bad")).respond(content=b"version: 1\ncapabilities:\n- id: Upper\n  name: 7\n")
    for repo in ("down", "bad", "new"):
        await register(client, repo)
    await refresh(client, "down")
    await refresh(client, "bad")
    return client


async def found(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.get(f"{PATH}?{query}")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_lists_what_is_wrong_the_gravest_first(troubled: httpx.AsyncClient) -> None:
    body = await found(troubled)

    assert [(one["severity"], one["repo"], one["kind"]) for one in body["findings"]] == [
        ("error", "bad", "invalid-entry"),
        ("error", "down", "failed"),
        ("info", "new", "never-fetched"),
    ]
    assert (body["total"], body["next"]) == (3, None)
    place = {name: body["findings"][0][name] for name in ("pointer", "line", "column")}
    assert place == {"pointer": "/capabilities/0/id", "line": 3, "column": 7}
    assert [(one["line"], one["column"]) for one in body["findings"][0]["faults"]] == [(3, 7), (4, 9)]


async def test_of_a_hub_where_all_is_well_is_empty(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(capability(1)))
    await register(client)
    await refresh(client)

    assert await found(client) == {"findings": [], "total": 0, "next": None}


@pytest.mark.parametrize(
    ("query", "kinds"),
    [
        ("repo=bad", ["invalid-entry"]),
        ("kind=failed", ["invalid-entry", "failed"]),
        ("severity=info", ["never-fetched"]),
        ("repo=bad&kind=failed", ["invalid-entry"]),
        ("repo=new&kind=failed", []),
        ("severity=warning", []),
    ],
)
async def test_filters(troubled: httpx.AsyncClient, query: str, kinds: list[str]) -> None:
    body = await found(troubled, query)

    assert [one["kind"] for one in body["findings"]] == kinds
    assert body["total"] == len(kinds)


async def test_is_read_page_by_page(troubled: httpx.AsyncClient) -> None:
    answers = [await troubled.get(f"{PATH}?limit=1")]
    while "next" in answers[-1].links:
        answers.append(await troubled.get(answers[-1].links["next"]["url"]))

    pages = [answer.json()["findings"] for answer in answers]
    assert [len(one) for one in pages] == [1, 1, 1]
    assert [one for page in pages for one in page] == (await found(troubled))["findings"]


@pytest.mark.parametrize("query", ["kind=bad", "severity=fatal", "repo=A", "limit=0", "limit=1001", "state=held"])
async def test_refuses_a_query_that_it_does_not_understand(client: httpx.AsyncClient, query: str) -> None:
    problem(await client.get(f"{PATH}?{query}"), "bad-query")


async def test_a_repo_that_is_not_registered_is_no_proof_that_nothing_is_wrong(troubled: httpx.AsyncClient) -> None:
    problem(await troubled.get(f"{PATH}?repo=nobody"), "repo-not-found")
    await troubled.delete("/v1/repos/bad", headers=WRITER)
    problem(await troubled.get(f"{PATH}?repo=bad"), "repo-not-found")


async def test_asks_nobody(troubled: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    asked = upstream.calls.call_count

    await found(troubled)

    assert upstream.calls.call_count == asked


async def test_what_is_wrong_is_gone_with_the_repo(troubled: httpx.AsyncClient) -> None:
    await troubled.delete("/v1/repos/bad", headers=WRITER)

    assert {one["repo"] for one in (await found(troubled))["findings"]} == {"down", "new"}


async def test_shows_those_of_one_domain_and_names_a_misspelt_one(troubled: httpx.AsyncClient) -> None:
    await register(troubled, "other", domain="railiance")

    here = await found(troubled, "domain=railiance")
    misspelt = await found(troubled, "domain=raliance")
    registered = await found(troubled, "domain=railiance&severity=error")

    assert [(one["repo"], one["domain"]) for one in here["findings"]] == [("other", "railiance")]
    assert "unmatched" not in here
    assert misspelt == {"findings": [], "total": 0, "next": None, "unmatched": ["domain"]}
    assert registered == {"findings": [], "total": 0, "next": None}


async def test_the_domain_is_that_of_now(troubled: httpx.AsyncClient) -> None:
    await troubled.patch("/v1/repos/new", json={"domain": "elsewhere"}, headers=WRITER)

    assert [one["repo"] for one in (await found(troubled, "domain=elsewhere"))["findings"]] == ["new"]


@pytest.mark.parametrize("query", ["", "?severity=error"], ids=["all", "filtered"])
async def test_a_page_is_made_beside_the_event_loop(
    troubled: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    on_loop: list[bool] = []

    def noting(finding: Finding) -> dict[str, Any]:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return {"kind": finding.kind}

    monkeypatch.setattr(Finding, "as_json", noting)
    await troubled.get(f"/v1/findings{query}")

    assert on_loop
    assert not any(on_loop)


def test_the_faults_of_a_finding_are_shown_as_they_are_and_not_copied() -> None:
    faults = ({"line": 3, "detail": "is no text"},)
    shown = replace(finding_of("failed", "x", None, "It failed.", "Mend it."), faults=faults).as_json()

    assert shown["faults"] is faults
    assert "on_page" not in shown
    assert "pointer" not in shown
