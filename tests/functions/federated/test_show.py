from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.builders import capability, federated, index, problem, refresh, register, served, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.settings import Settings
    from tests.builders import Hands

PATH = "/v1/federated"
REPRESENTATIONS = [
    pytest.param(accept, coding, id=f"{accept} {coding}")
    for accept in ("application/json", "application/yaml")
    for coding in ("identity", "gzip", "zstd")
]


@pytest.fixture
async def two(client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands) -> httpx.AsyncClient:
    """A client of a hub with two sources that disagree about one capability, and one that was not read yet."""
    upstream.get(url_of("b-first")).respond(content=index(capability(3, tags=["x"]), capability(1, name="Ours")))
    upstream.get(url_of("a-second")).respond(content=index(capability(2, note="ø: #1"), capability(1, name="Theirs")))
    for repo in ("b-first", "a-second"):
        await register(client, repo)
        await refresh(client, repo)
        hands.advance(1)
    await register(client, "c-new", domain="other")
    await refresh(client, "b-first")  # answered when the document shows the new source too
    return client


async def test_is_there_before_anything_is_registered(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)

    assert answer.status_code == 200
    assert answer.json() == {
        "version": 1,
        "serial": 1,
        "generated_at": "2026-11-23T10:00:00Z",
        "complete": True,
        "missing_required": [],
        "sources": [],
        "capabilities": [],
        "conflicts": [],
    }


async def test_says_whose_every_capability_is_in_a_stable_order(two: httpx.AsyncClient) -> None:
    document = await federated(two)

    assert document["capabilities"] == [
        capability(2, note="ø: #1", source_repo="a-second"),
        capability(1, name="Ours", source_repo="b-first"),
        capability(3, tags=["x"], source_repo="b-first"),
    ]
    others = [{"repo": "a-second", "identical": False}]
    assert document["conflicts"] == [{"id": capability(1)["id"], "repo": "b-first", "others": others}]
    counts = [(one["repo"], one["capability_count"], one["served_count"]) for one in document["sources"]]
    assert counts == [("a-second", 2, 1), ("b-first", 2, 2), ("c-new", 0, 0)]


async def test_shows_a_source_that_has_nothing_yet(two: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("c-new")).respond(404)
    await refresh(two, "c-new")

    assert (await federated(two))["sources"][2] == {
        "repo": "c-new",
        "url": url_of("c-new"),
        "domain": "other",
        "required": False,
        "state": "failed",
        "digest": None,
        "capability_count": 0,
        "served_count": 0,
        "changed_at": None,
    }


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        pytest.param("", None, "application/json", id="nothing said"),
        pytest.param("", "*/*", "application/json", id="anything"),
        pytest.param("", "application/*", "application/json", id="anything of a kind"),
        pytest.param("", "application/yaml", "application/yaml", id="YAML"),
        pytest.param("", "text/yaml", "application/yaml", id="YAML by an older name"),
        pytest.param("", "application/x-yaml", "application/yaml", id="YAML by a provisional name"),
        pytest.param("", "application/json;q=0.5, application/yaml", "application/yaml", id="rather YAML"),
        pytest.param("", "application/yaml;q=0.1, */*", "application/json", id="rather not YAML"),
        pytest.param("", "application/json;q=0, */*", "application/yaml", id="no JSON"),
        pytest.param("", "text/html, application/xhtml+xml, */*;q=0.8", "application/json", id="a browser"),
        pytest.param("?format=yaml", None, "application/yaml", id="the parameter"),
        pytest.param("?format=yaml", "application/json", "application/yaml", id="the parameter against Accept"),
        pytest.param("?format=json", "application/yaml", "application/json", id="JSON against Accept"),
        pytest.param("?format=json", "image/png", "application/json", id="the parameter where Accept has nothing"),
    ],
)
async def test_comes_as_json_unless_yaml_is_asked_for(
    two: httpx.AsyncClient, query: str, accept: str | None, media_type: str
) -> None:
    answer = await two.get(PATH + query, headers={"Accept": accept or ""})

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert yaml.safe_load(answer.text) == await federated(two)


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "*/*;q=0", "text/html;q=2, a/b"])
async def test_does_not_come_in_what_nobody_offers(client: httpx.AsyncClient, accept: str) -> None:
    problem(await client.get(PATH, headers={"Accept": accept}), "not-acceptable")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        pytest.param("gzip", "gzip", id="gzip"),
        pytest.param("x-gzip", "gzip", id="gzip by its older name"),
        pytest.param("zstd", "zstd", id="zstd"),
        pytest.param("gzip, deflate, br, zstd", "zstd", id="the best of all"),
        pytest.param("gzip, zstd;q=0.9", "gzip", id="rather gzip"),
        pytest.param("zstd;q=0, *", "gzip", id="anything but zstd"),
        pytest.param("gzip;q=0.1, identity;q=0.5, zstd;q=0.2", None, id="rather none than any"),
        pytest.param("deflate;q=1.0, *;q=0.5", "gzip", id="anything rather than none"),
        pytest.param("br, gzip;q=0.5, *;q=0.1", "gzip", id="gzip rather than none"),
        pytest.param("*", "gzip", id="anything"),
        pytest.param("GZIP", "gzip", id="in capitals"),
        pytest.param("identity", None, id="none"),
        pytest.param("", None, id="nothing said"),
        pytest.param("br", None, id="another one"),
        pytest.param("gzip;q=0", None, id="not gzip"),
        pytest.param("gzip;q=0, *", None, id="anything but gzip"),
        pytest.param("gzip;q=0.5, identity", None, id="rather none"),
    ],
)
async def test_comes_in_the_best_coding_that_the_reader_takes(
    two: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    plain = await two.get(PATH, headers={"Accept-Encoding": "identity"})

    answer = await two.get(PATH, headers={"Accept-Encoding": accepted})

    assert answer.headers.get("content-encoding") == coding
    assert answer.content == plain.content


@pytest.mark.parametrize("accepted", ["identity;q=0", "*;q=0", "br, identity;q=0", "gzip;q=0, zstd;q=0, *;q=0"])
async def test_does_not_come_in_a_coding_that_is_ruled_out(two: httpx.AsyncClient, accepted: str) -> None:
    problem(await two.get(PATH, headers={"Accept-Encoding": accepted}), "not-acceptable")


async def test_a_second_request_in_the_same_words_gets_the_same(two: httpx.AsyncClient) -> None:
    for wish in ({"Accept": "text/yaml"}, {"Accept-Encoding": "zstd"}, {"Accept": "*/*", "X-Other": "1"}):
        wish["X-Request-ID"] = "7"
        first, second = await two.get(PATH, headers=wish), await two.get(PATH, headers=wish)
        condition = {**wish, "If-None-Match": first.headers["etag"]}

        assert (second.content, second.headers) == (first.content, first.headers)
        assert [(await two.get(PATH, headers=condition)).status_code for _ in range(2)] == [304, 304]
        assert (await two.get(PATH, headers={**wish, "If-None-Match": '"other"'})).status_code == 200


@pytest.mark.parametrize("condition", [{}, {"If-None-Match": "*"}])
async def test_head_says_what_get_would_without_the_body(two: httpx.AsyncClient, condition: dict[str, str]) -> None:
    headers = {**condition, "X-Request-ID": "7"}
    for _ in range(2):
        head, get = await two.head(PATH, headers=headers), await two.get(PATH, headers=headers)

        assert (head.status_code, head.headers, head.content) == (get.status_code, get.headers, b"")


@pytest.mark.parametrize(("accept", "coding"), REPRESENTATIONS)
async def test_every_representation_has_a_tag_of_its_own_that_gives_304(
    two: httpx.AsyncClient, accept: str, coding: str
) -> None:
    wish = {"Accept": accept, "Accept-Encoding": coding}
    whole = await two.get(PATH, headers=wish)
    tag = whole.headers["etag"]

    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = await two.get(PATH, headers={**wish, "If-None-Match": sent})
        assert (same.status_code, same.content) == (304, b"")
        kept = ("etag", "vary", "cache-control", "reuse-surface-serial", "reuse-surface-complete")
        assert [same.headers[name] for name in kept] == [whole.headers[name] for name in kept]
    assert not tag.startswith("W/")
    other = tag.replace('"', '"x', 1)
    assert (await two.get(PATH, headers={**wish, "If-None-Match": other})).status_code == 200


async def test_the_tags_of_the_representations_differ(two: httpx.AsyncClient) -> None:
    wishes = [{"Accept": case.values[0], "Accept-Encoding": case.values[1]} for case in REPRESENTATIONS]

    answers = [await two.get(PATH, headers=wish) for wish in wishes]  # type: ignore[arg-type]

    assert len({answer.headers["etag"] for answer in answers}) == len(REPRESENTATIONS)


async def test_the_bytes_in_gzip_are_those_without(two: httpx.AsyncClient) -> None:
    async with two.stream("GET", PATH, headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join([piece async for piece in answer.aiter_raw()])

    assert len(raw) == int(answer.headers["content-length"])
    assert gzip.decompress(raw) == (await two.get(PATH, headers={"Accept-Encoding": "identity"})).content


async def test_the_headers_say_what_is_in_it_and_how_long_it_may_be_kept(two: httpx.AsyncClient) -> None:
    headers = (await two.get(PATH)).headers

    assert headers["reuse-surface-serial"] == str((await federated(two))["serial"])
    assert headers["reuse-surface-complete"] == "true"
    assert headers["cache-control"] == "public, max-age=30, stale-if-error=86400"
    assert headers["vary"] == "Accept, Accept-Encoding"


@pytest.fixture
async def lacking(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub that lacks a required source."""
    upstream.get(url_of("state-hub")).respond(500)
    await register(client, required=True)
    await refresh(client)
    return client


async def test_names_the_required_source_that_has_nothing_to_serve(lacking: httpx.AsyncClient) -> None:
    answer = await lacking.get(PATH)

    assert (answer.status_code, answer.headers["reuse-surface-complete"]) == (200, "false")
    assert (answer.json()["complete"], answer.json()["missing_required"]) == (False, ["state-hub"])


async def test_is_refused_to_those_who_want_it_complete_while_it_is_not(
    lacking: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    refused = await lacking.get(f"{PATH}?strict=true")
    lax = await lacking.get(f"{PATH}?strict=false")
    upstream.get(url_of("state-hub")).respond(content=index())
    await refresh(lacking)

    assert "state-hub" in problem(refused, "federation-incomplete")["detail"]
    assert lax.status_code == 200
    assert (await lacking.get(f"{PATH}?strict=true")).json()["complete"] is True


async def test_is_refused_even_to_those_who_know_it(lacking: httpx.AsyncClient) -> None:
    answer = await lacking.get(f"{PATH}?strict=true", headers={"If-None-Match": "*"})

    problem(answer, "federation-incomplete")


@pytest.mark.parametrize("query", ["strict=yes", "strict=", "format=xml", "format=YAML", "since=1", "limit=1"])
async def test_refuses_a_query_that_it_does_not_understand(client: httpx.AsyncClient, query: str) -> None:
    problem(await client.get(f"{PATH}?{query}"), "bad-query")


async def test_changes_only_when_what_it_says_changes(
    two: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands
) -> None:
    before = await two.get(PATH)
    hands.advance(3600)
    for repo in ("a-second", "b-first"):
        assert (await refresh(two, repo))["outcome"] == "unchanged"
    same = await two.get(PATH)
    upstream.get(url_of("a-second")).respond(content=index(capability(2)))
    await refresh(two, "a-second")
    after = await two.get(PATH)

    assert (same.content, same.headers["etag"]) == (before.content, before.headers["etag"])
    assert after.json()["serial"] == before.json()["serial"] + 1
    assert after.json()["generated_at"] == "2026-11-23T11:00:02Z"
    assert after.headers["etag"] != before.headers["etag"]
    assert after.json()["conflicts"] == []


async def test_a_restart_serves_the_same_bytes_before_anything_is_fetched(
    settings: Settings, upstream: respx.MockRouter, hands: Hands
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    async with served(settings, hands) as client:
        await register(client)
        await refresh(client)
        before = await client.get(PATH)
    hands.advance(3000)
    upstream.reset()

    async with served(settings, hands) as client:
        after = await client.get(PATH)
        shown = (await client.get("/v1/repos/state-hub")).json()["source"]

    assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
    assert (shown["state"], shown["checked_at"]) == ("fresh", "2026-11-23T10:00:00Z")
    assert upstream.calls.call_count == 0
