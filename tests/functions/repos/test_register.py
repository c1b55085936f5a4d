from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import (
    WRITER,
    capability,
    federated,
    index,
    problem,
    refresh,
    register,
    registration,
    served,
    tag,
    url_of,
    world,
)

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from shared.settings import Settings


async def test_answers_with_the_registration_and_where_it_lies(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/repos", json=registration(required=True), headers=WRITER)

    assert answer.status_code == 201
    assert (answer.headers["location"], answer.headers["etag"]) == ("/v1/repos/state-hub", await tag(client))
    assert answer.json() == registration(
        enabled=True,
        required=True,
        cache_ttl_seconds=3600,
        description="",
        registered_at="2026-11-23T10:00:00.000000Z",
        updated_at="2026-11-23T10:00:00.000000Z",
        registered_by="operator",
        revision=1,
    )


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        pytest.param({"repo": "Upper"}, "/repo", id="a name that is no slug"),
        pytest.param({"repo": "a\n"}, "/repo", id="a line feed at the end of a name"),
        pytest.param({"url": "ftp://git.example.org/x"}, "/url", id="another scheme"),
        pytest.param({"url": "http://127.0.0.1/x"}, "/url", id="an address that is not public"),
        pytest.param({"domain": 7}, "/domain", id="a number for text"),
        pytest.param({"enabled": "yes"}, "/enabled", id="text for a boolean"),
        pytest.param({"cache_ttl_seconds": 604801}, "/cache_ttl_seconds", id="a week and a second"),
        pytest.param({"description": "bell\x07"}, "/description", id="a control character"),
        pytest.param({"index": "registry/index.yaml"}, "/index", id="a local path"),
        pytest.param({"registered_by": "someone"}, "/registered_by", id="a field of the hub"),
        pytest.param({"colour": "red"}, "/colour", id="an unknown field"),
    ],
)
async def test_refuses_a_field_that_breaks_a_rule(
    client: httpx.AsyncClient, changes: dict[str, object], pointer: str
) -> None:
    answer = await client.post("/v1/repos", json=registration(**changes), headers=WRITER)

    problem(answer, "invalid-registration", pointer)
    assert (await client.get("/v1/repos")).json()["total"] == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"description": "Pay \u202eevil"}, "U+202E (right-to-left override)", id="an override"),
        pytest.param({"description": "\u2066begins"}, "U+2066 (left-to-right isolate)", id="an isolate"),
        pytest.param({"description": "x\U000e0041"}, "U+E0041", id="a tag"),
        pytest.param({"col\u202eour": "red"}, "U+202E", id="in a key"),
        pytest.param({"domain": "a\u2069"}, "U+2069", id="in a domain"),
    ],
)
@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "as it is"])
async def test_text_that_hides_or_reorders_is_refused_with_its_place(
    client: httpx.AsyncClient, changes: dict[str, object], says: str, ascii_only: bool
) -> None:
    body = json.dumps(registration(**changes), ensure_ascii=ascii_only, indent=1).encode()

    answer = await client.post("/v1/repos", content=body, headers=WRITER | {"Content-Type": "application/json"})

    detail = problem(answer, "malformed-body")["detail"]
    assert says in detail
    assert re.search(r"\(line \d+, column \d+\)", detail)
    assert (await client.get("/v1/repos")).json()["total"] == 0


async def test_descriptions_of_every_script_are_stored_as_they_are_sent(client: httpx.AsyncClient) -> None:
    text = "\u0645\u06cc\u200c\u062e \u05e9\u05dc\u05d5\u05dd \U0001f468\u200d\U0001f469"

    answer = await client.post("/v1/repos", json=registration(description=text), headers=WRITER)

    assert answer.json()["description"] == text


async def test_names_every_offence_at_once(client: httpx.AsyncClient) -> None:
    body = {"url": "file:///etc/passwd", "domain": "A", "enabled": 1, "colour": "red", "cache_ttl_seconds": -1}

    answer = await client.post("/v1/repos", json=body, headers=WRITER)

    problem(answer, "invalid-registration", "/cache_ttl_seconds", "/colour", "/domain", "/enabled", "/repo", "/url")
    assert (await client.get("/v1/repos")).json()["total"] == 0


async def test_tells_that_a_local_path_has_to_be_published(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/repos", json=registration(url=None, index="registry/index.yaml"), headers=WRITER)

    local, missing = problem(answer, "invalid-registration", "/index", "/url")["errors"]
    assert "raw URL" in local["detail"]
    assert missing["detail"] == "is required"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"repo": "a" * 100}, id="the longest name"),
        pytest.param({"domain": "d" * 64}, id="the longest domain"),
        pytest.param({"cache_ttl_seconds": 0}, id="the least time to live"),
        pytest.param({"cache_ttl_seconds": 604800}, id="the greatest time to live"),
        pytest.param({"description": "é\n\t" + "x" * 997}, id="the longest description"),
        pytest.param({"url": "https://git.example.org/" + "x" * 2024}, id="the longest URL"),
    ],
)
async def test_takes_what_lies_at_the_edge_of_a_rule(client: httpx.AsyncClient, changes: dict[str, object]) -> None:
    made = (await client.post("/v1/repos", json=registration(**changes), headers=WRITER)).json()

    assert made | changes == made
    shown = (await client.get(f"/v1/repos/{made['repo']}")).json()
    assert shown | made == shown


async def test_refuses_a_name_that_is_taken(client: httpx.AsyncClient) -> None:
    await register(client)
    before = await world(client)

    body = registration(url=url_of("another"), description="new")
    answer = await client.post("/v1/repos", json=body, headers=WRITER)

    problem(answer, "repo-exists")
    assert await world(client) == before


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(url_of("state-hub"), id="the same"),
        pytest.param("HTTPS://GIT.Example.ORG/state-hub/capabilities.yaml", id="upper case"),
        pytest.param("https://git.example.org:443/state-hub/capabilities.yaml", id="the default port"),
        pytest.param("https://git.example.org/x/../state-hub/./capabilities.yaml", id="dot segments"),
    ],
)
async def test_refuses_a_url_that_is_registered_in_whatever_spelling(client: httpx.AsyncClient, url: str) -> None:
    await register(client)
    before = await world(client)

    answer = await client.post("/v1/repos", json=registration(repo="another", url=url), headers=WRITER)

    assert "state-hub" in problem(answer, "url-registered")["detail"]
    assert await world(client) == before
    problem(await client.get("/v1/repos/another/history"), "repo-not-found")


async def test_lets_one_of_those_win_who_register_the_same_name_at_once(client: httpx.AsyncClient) -> None:
    posts = (client.post("/v1/repos", json=registration(url=url_of(f"n{n}")), headers=WRITER) for n in range(8))

    answers = await asyncio.gather(*posts)

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert (await client.get("/v1/repos/state-hub")).json()["revision"] == 1


async def test_counts_revisions_on_when_a_name_is_registered_again(client: httpx.AsyncClient) -> None:
    await register(client)
    await client.delete("/v1/repos/state-hub", headers=WRITER)

    answer = await client.post("/v1/repos", json=registration(), headers=WRITER)

    assert (answer.json()["revision"], answer.headers["etag"]) == (3, await tag(client))


async def test_asks_nobody_whether_the_url_answers(client: httpx.AsyncClient, hub: Hub) -> None:
    await register(client)

    assert hub.sources.schedule.due() == ["state-hub"]
    assert (await client.get("/v1/repos/state-hub")).json()["source"]["state"] == "never"


async def test_has_the_source_fetched_at_once(settings: Settings, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())
    async with served(replace(settings, refresh=True)) as client, asyncio.timeout(10):
        await register(client)

        while (await client.get("/v1/repos?state=fresh")).json()["total"] == 0:  # noqa: ASYNC110 - as a client would
            await asyncio.sleep(0.01)

    assert upstream.calls.call_count == 1


async def test_keeps_who_asked_and_in_which_request(client: httpx.AsyncClient) -> None:
    headers = {**WRITER, "X-Request-ID": "abc-1"}
    await client.post("/v1/repos", json=registration(), headers=headers)

    line = (await client.get("/v1/repos/state-hub/history")).json()["history"][0]
    assert (line["by"], line["request_id"]) == ("operator", "abc-1")


async def try_out(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/repos?dry_run=true", json=registration(**changes), headers=WRITER)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_dry_run_tells_what_would_come_and_stores_nothing(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("rival")).respond(content=index(capability(1, name="Mine")))
    await register(client, "rival")
    await refresh(client, "rival")
    upstream.get(url_of("state-hub")).respond(content=index(capability(1), capability(2)))
    before = await world(client)

    told = await try_out(client, required=True)

    assert told["registration"] == registration(required=True, enabled=True, cache_ttl_seconds=3600, description="")
    assert (told["refusal"], told["errors"]) == (None, [])
    assert (told["capability_count"], told["served_count"]) == (2, 1)
    assert (told["fetch"]["outcome"], told["fetch"]["http_status"], told["fetch"]["error"]) == ("fetched", 200, None)
    assert [entry["id"] for entry in told["capabilities"]] == [capability(n)["id"] for n in (1, 2)]
    assert told["conflicts"] == [{"id": capability(1)["id"], "repo": "rival", "identical": False}]
    assert await world(client) == before


async def test_a_dry_run_takes_the_connections_of_its_token(
    client: httpx.AsyncClient, hub: Hub, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: list[str] = []
    check = hub.dry_run._checker.check

    async def noted(repo: str, url: str, *, talk: Any) -> Any:
        owners.append(talk.owner)
        return await check(repo, url, talk=talk)

    monkeypatch.setattr(hub.dry_run._checker, "check", noted)
    upstream.get(registration()["url"]).respond(404)

    assert (await client.post("/v1/repos?dry_run=true", json=registration(), headers=WRITER)).status_code == 200
    assert owners == ["operator"]


async def test_an_index_that_somebody_else_registered_first_is_told_and_read_under_its_own_name_only(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    route = upstream.get(registration()["url"]).respond(content=index())
    await register(client, repo="other-name", url=registration()["url"])
    await refresh(client, "other-name")
    without = [one["source_repo"] for one in (await federated(client))["capabilities"]]

    refused = await client.post("/v1/repos", json=registration(), headers=WRITER)
    route.respond(content=index(repo="state-hub"))
    outcome = await refresh(client, "other-name")

    detail = problem(refused, "url-registered")["detail"]
    assert (without, detail) == (["other-name"], "other-name is registered with this URL, by operator.")
    assert outcome["outcome"] == "failed"
    assert "must be other-name, the name under which this URL is registered" in outcome["source"]["error"]["detail"]


async def test_a_dry_run_tells_every_error_of_the_index(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    upstream.get(url_of("state-hub")).respond(content=b"version: 1\ncapabilities:\n- id: Upper\n  name: 7\n")

    told = await try_out(client)

    assert (told["fetch"]["outcome"], told["fetch"]["error"]["type"]) == ("failed", "invalid-index")
    assert [(one["line"], one["column"], one["pointer"]) for one in told["errors"]] == [
        (3, 7, "/capabilities/0/id"),
        (4, 9, "/capabilities/0/name"),
    ]


@pytest.mark.parametrize(
    ("changes", "slug"),
    [({"url": url_of("new")}, "repo-exists"), ({"repo": "new"}, "url-registered")],
    ids=["the name is taken", "the URL is taken"],
)
async def test_a_dry_run_tells_that_it_would_be_refused(
    client: httpx.AsyncClient, upstream: respx.MockRouter, changes: dict[str, Any], slug: str
) -> None:
    upstream.get(url__regex=".*").respond(content=index())
    await register(client)
    before = await world(client)

    told = await try_out(client, **changes)

    assert (told["refusal"]["type"], told["refusal"]["status"]) == (slug, 409)
    assert told["fetch"]["outcome"] == "fetched"
    assert (told["capability_count"], told["served_count"]) == (1, 0)
    assert await world(client) == before


async def test_a_dry_run_of_a_disabled_source_tells_that_nothing_would_be_served(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("state-hub")).respond(content=index())

    told = await try_out(client, enabled=False)

    assert (told["capability_count"], told["served_count"]) == (1, 0)


async def test_a_dry_run_refuses_what_breaks_the_rules_and_asks_nobody(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    path = "/v1/repos?dry_run=true"

    problem(await client.post(path, json={"repo": "x"}, headers=WRITER), "invalid-registration", "/domain", "/url")
    problem(await client.post(path, json=registration()), "unauthorized")
    problem(await client.post("/v1/repos?dry_run=1", json=registration(), headers=WRITER), "bad-query")

    assert upstream.calls.call_count == 0


async def test_false_is_no_dry_run(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/repos?dry_run=false", json=registration(), headers=WRITER)

    assert answer.status_code == 201
