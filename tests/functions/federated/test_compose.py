from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.builders import WRITER, capability, federated, index, problem, refresh, register, url_of

if TYPE_CHECKING:
    import respx

    from tests.builders import Hands

PATH = "/v1/federated/compose"


async def compose(client: httpx.AsyncClient, query: str = "") -> dict[str, Any]:
    answer = await client.post(f"{PATH}?{query}", headers=WRITER)
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {result["repo"]: result["outcome"] for result in report["results"]}


async def test_of_nothing_is_the_document_that_there_is(client: httpx.AsyncClient) -> None:
    assert await compose(client, "force=true") == {"serial": 1, "complete": True, "counts": {}, "results": []}


async def test_answers_when_the_document_shows_what_every_source_brought(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    for number, repo in enumerate(("c", "a", "b")):
        upstream.get(url_of(repo)).respond(content=index(capability(number)))
        await register(client, repo)

    report = await compose(client)

    document = await federated(client)
    assert (report["counts"], list(outcomes(report))) == ({"changed": 3}, ["a", "b", "c"])
    assert (report["serial"], report["complete"]) == (document["serial"], True)
    assert len(document["capabilities"]) == 3
    assert report["results"][0]["source"] == (await client.get("/v1/repos/a")).json()["source"]


async def test_checks_what_is_due_and_by_force_everything_that_is_enabled(
    client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands
) -> None:
    for repo, ttl in (("short", 60), ("long", 86400)):
        upstream.get(url_of(repo)).respond(content=index(capability(ttl)))
        await register(client, repo, cache_ttl_seconds=ttl)
    await register(client, "off", enabled=False)

    first, at_once = await compose(client), await compose(client)
    hands.advance(120)
    later, forced = await compose(client, "force=false"), await compose(client, "force=true")

    assert outcomes(first) == {"long": "changed", "short": "changed"}
    assert (at_once["results"], at_once["counts"]) == ([], {})
    assert outcomes(later) == {"short": "unchanged"}
    assert outcomes(forced) == {"long": "unchanged", "short": "unchanged"}
    assert at_once["serial"] == later["serial"] == forced["serial"] == first["serial"]


@pytest.mark.parametrize(
    ("answer", "slug"),
    [
        pytest.param(httpx.Response(500), "source-status", id="an error"),
        pytest.param(httpx.ConnectError("gone"), "source-unreachable", id="nobody"),
        pytest.param(httpx.Response(200, content=b"\xff\xfe"), "invalid-index", id="no text"),
        pytest.param(httpx.Response(200, content=b"&a [*a, *a]"), "invalid-index", id="an alias"),
        pytest.param(RuntimeError("a fault of a library"), "source-unreachable", id="what nobody foresaw"),
    ],
)
async def test_one_bad_source_takes_nothing_from_the_others(
    client: httpx.AsyncClient, upstream: respx.MockRouter, answer: httpx.Response | Exception, slug: str
) -> None:
    upstream.get(url_of("bad")).side_effect = [answer]
    await register(client, "bad")
    for number in range(3):
        upstream.get(url_of(f"good{number}")).respond(content=index(capability(number)))
        await register(client, f"good{number}")

    report = await compose(client)

    assert report["counts"] == {"changed": 3, "failed": 1}
    assert (report["results"][0]["repo"], report["results"][0]["source"]["error"]["type"]) == ("bad", slug)
    assert [one["source_repo"] for one in (await federated(client))["capabilities"]] == ["good0", "good1", "good2"]
    assert report["complete"] is True


async def test_is_incomplete_while_a_required_source_has_nothing_and_complete_again_when_it_has(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    route = upstream.get(url_of("state-hub"))
    route.side_effect = [httpx.Response(404), httpx.Response(200, content=index()), httpx.Response(404)]
    await register(client, required=True)

    reports = [await compose(client, "force=true") for _ in range(3)]

    # The last one fails too, but what was good before is still there to serve.
    assert [report["complete"] for report in reports] == [False, True, True]
    assert [report["results"][0]["outcome"] for report in reports] == ["failed", "changed", "failed"]
    assert (await federated(client))["missing_required"] == []


@pytest.mark.parametrize("query", ["", "force=true"])
async def test_joins_a_check_that_is_under_way(
    client: httpx.AsyncClient, upstream: respx.MockRouter, query: str
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)

    single, report = await asyncio.gather(refresh(client), compose(client, query))

    assert (single["outcome"], outcomes(report)) == ("changed", {"state-hub": "changed"})
    assert upstream.calls.call_count == 1


async def test_counts_only_what_is_still_registered_when_it_is_done(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        arrived.set()
        await go.wait()
        return httpx.Response(200, content=index())

    upstream.get(url_of("state-hub")).side_effect = slow
    await register(client)
    composing = asyncio.create_task(compose(client))
    await arrived.wait()
    await client.delete("/v1/repos/state-hub", headers=WRITER)
    go.set()

    report = await composing

    assert (report["counts"], report["results"]) == ({}, [])
    assert (await federated(client))["capabilities"] == []


@pytest.mark.parametrize("query", ["force=1", "force=", "force=yes", "repo=a", "force=true&force=true"])
async def test_fetches_nothing_for_a_query_that_it_does_not_understand(
    client: httpx.AsyncClient, upstream: respx.MockRouter, query: str
) -> None:
    await register(client)

    problem(await client.post(f"{PATH}?{query}", headers=WRITER), "bad-query")
    assert upstream.calls.call_count == 0


async def test_fetches_nothing_for_those_who_have_no_token(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await register(client)

    problem(await client.post(f"{PATH}?force=true"), "unauthorized")
    assert upstream.calls.call_count == 0


async def test_reads_are_answered_while_it_waits(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    go = asyncio.Event()

    async def slow(_: httpx.Request) -> httpx.Response:
        await go.wait()
        return httpx.Response(200, content=index())

    upstream.get(url_of("state-hub")).side_effect = slow
    await register(client)
    composing = asyncio.create_task(compose(client))

    async with asyncio.timeout(10):
        assert (await federated(client))["capabilities"] == []
        assert (await client.get("/v1/repos")).json()["total"] == 1
        await register(client, "another")
    assert not composing.done()
    go.set()
    assert (await composing)["counts"] == {"changed": 1}
