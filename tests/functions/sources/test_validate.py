from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.web.limits import VALIDATING
from tests.builders import capability, index, problem, refresh, register, registration, served, url_of, world

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from shared.settings import Settings

PATH = "/v1/validate"
MANIFEST = json.dumps({"version": 1, "sources": [registration()]}).encode()
BAD = b"""version: 1
capabilities:
- id: Upper Case
  name: 7
- id: b
  name: two
  tags: x
"""


async def validate(client: httpx.AsyncClient, body: bytes, query: str = "", kind: str = "application/yaml") -> Any:
    answer = await client.post(f"{PATH}?{query}", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", ["application/yaml", "application/json", "text/yaml; charset=utf-8", "text/plain"])
async def test_a_valid_index_is_valid(client: httpx.AsyncClient, kind: str) -> None:
    verdict = await validate(client, index(capability(1), capability(2)), kind=kind)

    assert verdict == {"valid": True, "capability_count": 2, "errors": []}


async def test_every_error_is_told_with_its_place_and_a_hint(client: httpx.AsyncClient) -> None:
    verdict = await validate(client, BAD)

    assert (verdict["valid"], verdict["capability_count"]) == (False, 0)
    assert [(one["line"], one["column"], one["pointer"]) for one in verdict["errors"]] == [
        (3, 7, "/capabilities/0/id"),
        (4, 9, "/capabilities/0/name"),
        (7, 9, "/capabilities/1/tags"),
    ]
    assert all(one["detail"] and one["hint"] for one in verdict["errors"])


@pytest.mark.parametrize(
    ("body", "line", "detail"),
    [
        pytest.param(b"version: 1\ncapabilities: [\n", 3, "not YAML", id="no YAML"),
        pytest.param(b"\xff", 1, "is not UTF-8", id="no text"),
        pytest.param(b"<html>", 1, "is a web page or other markup: it begins with <", id="a web page"),
        pytest.param(b"", 1, "must be a mapping", id="nothing"),
        pytest.param(b"- 1", 1, "must be a mapping", id="a list"),
    ],
)
async def test_what_is_no_index_says_so(client: httpx.AsyncClient, body: bytes, line: int, detail: str) -> None:
    (error,) = (await validate(client, body))["errors"]

    assert (error["line"], error["pointer"]) == (line, "")
    assert error["detail"].startswith(detail)


async def test_the_name_is_compared_only_where_it_is_given(client: httpx.AsyncClient) -> None:
    body = index(repo="other")

    assert (await validate(client, body))["valid"] is True
    assert (await validate(client, body, "repo=other"))["valid"] is True
    (error,) = (await validate(client, body, "repo=state-hub"))["errors"]
    assert error["pointer"] == "/repo"


async def test_a_manifest_is_answered_as_json(client: httpx.AsyncClient) -> None:
    text = b"version: 1\nsources:\n- repo: state-hub\n  domain: d\n  index: a/b.yaml\n"
    said = {"version": 1, "sources": [{"repo": "state-hub", "domain": "d", "index": "a/b.yaml"}]}

    assert await validate(client, text, "kind=manifest") == {"valid": True, "errors": [], "manifest": said}
    assert (await validate(client, MANIFEST, "kind=manifest"))["manifest"] == json.loads(MANIFEST)


async def test_entries_in_order_are_answered_beside_those_that_are_refused(client: httpx.AsyncClient) -> None:
    text = b"version: 1\nsources:\n- {repo: a, domain: d, index: i}\n- {repo: b, domain: D, index: i}\n"

    verdict = await validate(client, text, "kind=manifest")

    assert (verdict["valid"], verdict["manifest"]) == (False, None)
    assert verdict["sources"] == [{"repo": "a", "domain": "d", "index": "i"}]
    assert verdict["refused"] == [{"pointer": "/sources/1", "repo": "b"}]
    assert [one["pointer"] for one in verdict["errors"]] == ["/sources/1/domain"]


async def test_a_bad_manifest_says_where(client: httpx.AsyncClient) -> None:
    text = b"version: 1\nsources:\n- repo: state-hub\n  domain: D\n  url: ftp://x\n"

    verdict = await validate(client, text, "kind=manifest")

    assert (verdict["valid"], verdict["manifest"]) == (False, None)
    assert [(one["line"], one["pointer"]) for one in verdict["errors"]] == [
        (4, "/sources/0/domain"),
        (5, "/sources/0/url"),
    ]


async def test_changes_nothing_and_asks_nobody(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    before = await world(client)

    await validate(client, BAD)
    await validate(client, index())

    assert await world(client) == before
    assert upstream.calls.call_count == 0


async def test_a_document_may_have_a_mebibyte_and_not_a_byte_more(client: httpx.AsyncClient) -> None:
    whole = index().ljust(1024 * 1024)

    assert (await validate(client, whole))["valid"] is True
    answer = await client.post(PATH, content=whole + b" ", headers={"Content-Type": "application/yaml"})
    problem(answer, "body-too-large")


@pytest.mark.parametrize("kind", ["", "text/html", "application/yaml; charset=latin-1", "multipart/form-data"])
async def test_other_content_is_not_read(client: httpx.AsyncClient, kind: str) -> None:
    problem(await client.post(PATH, content=index(), headers={"Content-Type": kind}), "unsupported-media-type")


@pytest.mark.parametrize("query", ["kind=x", "repo=X", "strict=true", "kind=index&kind=index"])
async def test_refuses_a_query_that_it_does_not_understand(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.post(f"{PATH}?{query}", content=index(), headers={"Content-Type": "application/yaml"})

    problem(answer, "bad-query")


async def test_one_address_may_ask_so_often(settings: Settings) -> None:
    async with served(replace(settings, validations_per_minute=2)) as client:
        for _ in range(2):
            await validate(client, index())
        answer = await client.post(PATH, content=index(), headers={"Content-Type": "application/yaml"})

    problem(answer, "too-many-requests")


@pytest.mark.timeout(60)
async def test_sources_are_read_while_documents_wait_for_their_validation(
    client: httpx.AsyncClient, hub: Hub, upstream: respx.MockRouter
) -> None:
    large = index(*(capability(number, summary="x" * 500) for number in range(150)))
    for repo, body in (("small", index()), ("large", large)):
        upstream.get(url_of(repo)).respond(content=body)
        await register(client, repo)
    go_on = threading.Event()
    hub.reader._thread.submit(go_on.wait)
    async with hub.reader._large.turn("another"):
        waiting = [asyncio.create_task(validate(client, body)) for body in (b"[]", large)]
        try:
            outcomes = [(await refresh(client, repo))["outcome"] for repo in ("small", "large")]
            assert outcomes == ["changed", "changed"]
            assert not any(one.done() for one in waiting)
        finally:
            go_on.set()
    assert [verdict["valid"] for verdict in await asyncio.gather(*waiting)] == [False, True]


async def test_more_documents_than_may_wait_are_refused(client: httpx.AsyncClient, hub: Hub) -> None:
    go_on = threading.Event()
    hub.reader._thread.submit(go_on.wait)
    try:
        waiting = [asyncio.create_task(validate(client, index())) for _ in range(VALIDATING // 2)]
        while hub.limits._validating.in_use < len(waiting):  # noqa: ASYNC110 - a request under way has no event
            await asyncio.sleep(0)
        refused = await client.post(PATH, content=index(), headers={"Content-Type": "application/yaml"})
    finally:
        go_on.set()
    problem(refused, "overloaded")
    assert all(verdict["valid"] for verdict in await asyncio.gather(*waiting))


async def test_documents_of_no_bytes_give_their_places_back(client: httpx.AsyncClient, hub: Hub) -> None:
    verdicts = await asyncio.gather(*(validate(client, body) for body in (index(), b"", b"")))

    assert [verdict["valid"] for verdict in verdicts] == [True, False, False]
    assert (hub.limits.others.places.in_use, hub.limits._validating.in_use) == (0, 0)
