from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.builders import WRITER, capability, federated, index, problem, refresh, register, url_of, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import respx

    from tests.builders import Hands


class Pieces(httpx.AsyncByteStream):
    """Bytes as they come from a network, which nothing has decoded yet."""

    def __init__(self, sent: bytes) -> None:
        self.sent = sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield all of them at once."""
        yield self.sent


async def test_a_first_check_brings_the_index(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)))
    await register(client)

    outcome = await refresh(client)

    assert (outcome["repo"], outcome["outcome"], outcome["source"]["capability_count"]) == ("state-hub", "changed", 2)
    assert outcome["source"] == (await client.get("/v1/repos/state-hub")).json()["source"]
    served = (await federated(client))["capabilities"]
    assert [one["id"] for one in served] == [capability(1)["id"], capability(2)["id"]]


@pytest.mark.parametrize(
    ("headers", "second"),
    [
        pytest.param({"ETag": '"v1"'}, httpx.Response(304), id="told by the ETag"),
        pytest.param({"Last-Modified": "Mon, 23 Nov 2026 09:00:00 GMT"}, httpx.Response(304), id="told by the date"),
        pytest.param({}, httpx.Response(200, content=index()), id="the same bytes"),
        pytest.param({}, httpx.Response(200, content=index(ignored="x") + b"\n"), id="the same in other words"),
    ],
)
async def test_what_has_not_changed_moves_only_the_time_of_the_check(
    client: httpx.AsyncClient,
    upstream: respx.MockRouter,
    hands: Hands,
    headers: Mapping[str, str],
    second: httpx.Response,
) -> None:
    route = upstream.get(url_of("state-hub"))
    route.side_effect = [httpx.Response(200, content=index(), headers=headers), second]
    await register(client)
    await refresh(client)
    before = await federated(client)
    hands.advance(60)

    outcome = await refresh(client)

    assert (outcome["outcome"], outcome["source"]["checked_at"]) == ("unchanged", "2026-11-23T10:01:00Z")
    assert outcome["source"]["changed_at"] == "2026-11-23T10:00:00Z"
    assert await federated(client) == before
    sent = route.calls.last.request.headers
    named = {"ETag": "if-none-match", "Last-Modified": "if-modified-since"}
    assert {name: sent.get(named[name]) for name in headers} == headers


def leading_to(location: str) -> httpx.Response:
    return httpx.Response(302, headers={"Location": location})


@pytest.mark.parametrize(
    ("answer", "slug", "http_status"),
    [
        pytest.param(httpx.Response(404), "source-status", 404, id="404"),
        pytest.param(httpx.Response(304), "source-status", 304, id="304 to a question that was not asked"),
        pytest.param(httpx.Response(200, html="<p>Sign in"), "source-not-an-index", None, id="a web page"),
        pytest.param(httpx.Response(200, content=b"version: 2"), "invalid-index", 200, id="an invalid index"),
        pytest.param(httpx.Response(200, content=b"[" * 99999), "invalid-index", 200, id="hostile nesting"),
        pytest.param(httpx.Response(200, content=b" " * 5242881), "source-too-large", None, id="too large"),
        pytest.param(leading_to("http://x.org/"), "source-redirect", None, id="to http"),
        pytest.param(leading_to("https://127.0.0.1/"), "address-refused", None, id="to a private address"),
        pytest.param(httpx.ConnectError("refused"), "source-unreachable", None, id="nobody answers"),
        pytest.param(httpx.ReadTimeout("late"), "source-timeout", None, id="too slow"),
    ],
)
async def test_a_source_that_fails_is_a_200_that_says_so(
    client: httpx.AsyncClient,
    upstream: respx.MockRouter,
    answer: httpx.Response | Exception,
    slug: str,
    http_status: int | None,
) -> None:
    upstream.get(url_of("state-hub")).side_effect = [answer]
    await register(client)

    outcome = await refresh(client)

    source = outcome["source"]
    assert (outcome["outcome"], source["state"], source["error"]["type"]) == ("failed", "failed", slug)
    assert http_status is None or source["http_status"] == http_status
    assert (source["consecutive_failures"], source["capability_count"], source["digest"]) == (1, 0, None)
    assert (await client.get(f"/problems/{slug}")).status_code == 200


async def test_what_was_good_stays_served_when_a_check_fails_and_the_error_goes_with_the_next_good_one(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    good = httpx.Response(200, content=index())
    upstream.get(url_of("state-hub")).side_effect = [good, httpx.Response(200, content=b"version: 7"), good]
    await register(client)
    await refresh(client)

    failed, served = await refresh(client), await federated(client)
    mended = await refresh(client)

    assert (failed["outcome"], failed["source"]["state"]) == ("failed", "stale")
    assert failed["source"]["capability_count"] == 1
    assert (len(served["capabilities"]), served["sources"][0]["state"]) == (1, "stale")
    assert (mended["outcome"], mended["source"]["state"], mended["source"]["error"]) == ("unchanged", "fresh", None)


async def test_asks_again_whatever_the_schedule_says(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(503, headers={"Retry-After": "3600"})
    await register(client)

    assert [(await refresh(client))["source"]["consecutive_failures"] for _ in range(3)] == [1, 2, 3]
    assert upstream.calls.call_count == 3


async def test_wishes_that_come_together_share_one_fetch(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    await register(client)

    outcomes = await asyncio.gather(*(refresh(client) for _ in range(5)))

    assert [outcome["outcome"] for outcome in outcomes] == ["changed"] * 5
    assert upstream.calls.call_count == 1


async def test_fetches_nothing_for_a_disabled_repo(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await register(client, enabled=False)
    before = await world(client)

    problem(await client.post("/v1/repos/state-hub/refresh", headers=WRITER), "repo-disabled")

    assert upstream.calls.call_count == 0
    assert await world(client) == before


async def test_knows_no_repo_that_is_not_registered(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    problem(await client.post("/v1/repos/state-hub/refresh", headers=WRITER), "repo-not-found")

    assert upstream.calls.call_count == 0


async def test_sends_no_credentials_and_says_who_asks(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    route = upstream.get(url_of("state-hub")).respond(content=index(), headers={"Set-Cookie": "a=b"})
    await register(client)
    await refresh(client)
    await refresh(client)

    sent = route.calls.last.request.headers
    assert not {"authorization", "cookie"} & set(sent)
    assert sent["user-agent"].startswith("reuse-surface-hub/")
    assert sent["user-agent"].endswith(" (+http://hub)")


async def publish(client: httpx.AsyncClient, upstream: respx.MockRouter, repo: str, *numbers: int) -> dict[str, Any]:
    """Register *repo* with these capabilities, and return the source as its first check left it."""
    upstream.get(url_of(repo)).respond(content=index(*(capability(number) for number in numbers)))
    await register(client, repo)
    source: dict[str, Any] = (await refresh(client, repo))["source"]
    return source


async def standing(client: httpx.AsyncClient, repo: str) -> tuple[int, int, list[dict[str, Any]]]:
    source = (await client.get(f"/v1/repos/{repo}")).json()["source"]
    return source["capability_count"], source["served_count"], source["served_elsewhere"]


async def test_of_a_fork_nothing_is_served_and_the_answer_says_by_whom_its_ids_are(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream, "my-repo", *range(15))

    fork = await publish(client, upstream, "their-fork", *range(15))

    assert (fork["capability_count"], fork["served_count"]) == (15, 0)
    assert fork["served_elsewhere"] == [{"repo": "my-repo", "count": 15}]
    listed = (await client.get("/v1/repos")).json()["repos"]
    assert [(row["repo"], row["source"]["served_count"]) for row in listed] == [("my-repo", 15), ("their-fork", 0)]


async def test_the_count_of_who_lost_rises_when_the_winner_is_disabled_and_falls_when_it_is_enabled_again(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream, "first", 1, 2)
    await publish(client, upstream, "second", 2, 3)
    before = await standing(client, "second")

    await client.patch("/v1/repos/first", json={"enabled": False}, headers=WRITER)
    without = await standing(client, "first"), await standing(client, "second")
    await client.patch("/v1/repos/first", json={"enabled": True}, headers=WRITER)

    lost = (2, 1, [{"repo": "first", "count": 1}])
    assert before == lost
    assert without == ((2, 0, []), (2, 2, []))
    assert await standing(client, "second") == lost


async def test_what_is_held_is_counted_as_it_is_served(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await publish(client, upstream, "first", *range(10))
    upstream.get(url_of("first")).respond(content=index(capability(1)))

    outcome = await refresh(client, "first")

    assert (outcome["outcome"], outcome["source"]["served_count"]) == ("held", 10)


async def test_a_source_that_failed_for_too_long_serves_nothing(
    client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands
) -> None:
    await publish(client, upstream, "first", 1, 2)
    upstream.get(url_of("first")).respond(500)
    stale = (await refresh(client, "first"))["source"]
    hands.advance(8 * 86400)
    failed = (await refresh(client, "first"))["source"]

    assert [(one["state"], one["capability_count"], one["served_count"]) for one in (stale, failed)] == [
        ("stale", 2, 2), ("failed", 2, 0),
    ]  # fmt: skip


PACKED = gzip.compress(index())


@pytest.mark.parametrize(
    ("codings", "sent"),
    [
        pytest.param("", index(), id="none named"),
        pytest.param("utf-8", index(), id="a charset in the wrong place"),
        pytest.param("aws-chunked", index(), id="what an object store kept"),
        pytest.param("gzip,", PACKED, id="an empty member"),
        pytest.param("identity, gzip", PACKED, id="identity"),
        pytest.param("gzip", PACKED + bytes(1), id="a zero behind it"),
        pytest.param("gzip", PACKED + bytes(512), id="a block of zeros behind it"),
        pytest.param("gzip", gzip.compress(index()[:9]) + bytes(8) + gzip.compress(index()[9:]), id="zeros in between"),
    ],
)
async def test_an_index_is_read_however_its_server_names_and_pads_its_coding(
    client: httpx.AsyncClient, upstream: respx.MockRouter, codings: str, sent: bytes
) -> None:
    upstream.get(url_of("state-hub")).respond(stream=Pieces(sent), headers={"Content-Encoding": codings})
    await register(client)

    assert (await refresh(client))["outcome"] == "changed"
    assert [one["id"] for one in (await federated(client))["capabilities"]] == [capability()["id"]]
