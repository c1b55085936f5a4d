from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from shared.problems import StorageUnavailable
from shared.storage.files import contents
from shared.storage.files.tiny import TinyStore
from tests.builders import (
    WRITER,
    capability,
    federated,
    index,
    problem,
    refresh,
    register,
    served,
    url_of,
    world,
)

if TYPE_CHECKING:
    import respx

    from shared.hub import Hub
    from shared.settings import Settings

PATH = "/v1/repos/state-hub/accept"
WHOLE = index(*(capability(n) for n in range(5)))
LESS = index(capability(1), capability(9))


async def hold(client: httpx.AsyncClient, upstream: respx.MockRouter) -> respx.Route:
    """Let the source of a new repo shrink, and return its route."""
    route = upstream.get(url_of("state-hub"))
    route.side_effect = [httpx.Response(200, content=WHOLE), httpx.Response(200, content=LESS)]
    await register(client)
    assert (await refresh(client))["outcome"] == "changed"
    assert (await refresh(client))["outcome"] == "held"
    return route


async def accept(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.post(PATH, headers={**WRITER, "X-Request-ID": "r-9"})
    assert answer.status_code == 200, answer.text
    outcome: dict[str, Any] = answer.json()
    return outcome


async def test_lets_in_what_is_held(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await hold(client, upstream)
    before = await federated(client)

    outcome = await accept(client)

    after = await federated(client)
    assert (before["sources"][0]["state"], len(before["capabilities"])) == ("held", 5)
    source = outcome["source"]
    assert (outcome["outcome"], source["state"], source["capability_count"]) == ("changed", "fresh", 2)
    assert source == (await client.get("/v1/repos/state-hub")).json()["source"]
    assert [entry["id"] for entry in after["capabilities"]] == [capability(n)["id"] for n in (1, 9)]
    assert (after["serial"], after["sources"][0]["state"]) == (before["serial"] + 1, "fresh")


async def test_leaves_a_line_that_says_who_let_in_what(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await hold(client, upstream)
    served_before = (await client.get("/v1/repos/state-hub")).json()

    accepted = await accept(client)

    line, first = (await client.get("/v1/repos/state-hub/history")).json()["history"]
    assert (line["action"], line["by"], line["request_id"], line["revision"]) == ("accept", "operator", "r-9", 1)
    assert line["before"] == {"digest": served_before["source"]["digest"], "capability_count": 5}
    assert line["after"] == {"digest": accepted["source"]["digest"], "capability_count": 2}
    assert first["action"] == "register"
    assert (await client.get("/v1/repos/state-hub")).json()["revision"] == 1


async def test_the_next_check_asks_by_what_was_let_in(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    route = await hold(client, upstream)
    await accept(client)
    route.side_effect = [httpx.Response(200, content=LESS)]

    assert (await refresh(client))["outcome"] == "unchanged"
    problem(await client.post(PATH, headers=WRITER), "nothing-held")


async def test_what_was_let_in_survives_a_restart(settings: Settings, upstream: respx.MockRouter) -> None:
    async with served(settings) as client:
        await hold(client, upstream)
    async with served(settings) as client:
        assert (await client.get("/v1/repos/state-hub")).json()["source"]["state"] == "held"
        await accept(client)
        before = await world(client)
    async with served(settings) as client:
        assert await world(client) == before
        assert list((settings.data_dir / "held").iterdir()) == []


@pytest.mark.parametrize("repo", ["state-hub", "nobody"])
async def test_changes_nothing_where_nothing_is_held(
    client: httpx.AsyncClient, upstream: respx.MockRouter, repo: str
) -> None:
    upstream.get(url_of("state-hub")).respond(content=WHOLE)
    await register(client)
    await refresh(client)
    before = await world(client)

    answer = await client.post(f"/v1/repos/{repo}/accept", headers=WRITER)

    problem(answer, "nothing-held" if repo == "state-hub" else "repo-not-found")
    assert await world(client) == before


async def test_changes_nothing_without_a_token(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    await hold(client, upstream)
    before = await world(client)

    problem(await client.post(PATH), "unauthorized")
    problem(await client.post(f"{PATH}?force=true", headers=WRITER), "bad-query")

    assert await world(client) == before


async def test_a_full_volume_leaves_it_held(
    client: httpx.AsyncClient, upstream: respx.MockRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hold(client, upstream)
    before = await federated(client)

    def full(*_: object) -> None:
        raise StorageUnavailable("Full.", status=507)

    monkeypatch.setattr(contents, "write_draft", full)

    problem(await client.post(PATH, headers=WRITER), "storage-unavailable")

    monkeypatch.undo()
    assert await federated(client) == before
    assert (await accept(client))["outcome"] == "changed"


async def test_lets_in_what_the_caller_names_by_its_digest(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await hold(client, upstream)
    seen = (await client.get("/v1/repos/state-hub")).json()["source"]["held_digest"]

    answer = await client.post(PATH, headers=WRITER, json={"digest": seen})

    assert (answer.status_code, answer.json()["source"]["digest"]) == (200, seen)
    assert answer.json()["source"]["held_digest"] is None


async def test_lets_in_nothing_where_something_else_is_held_than_is_named(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    route = await hold(client, upstream)
    seen = (await client.get("/v1/repos/state-hub")).json()["source"]["held_digest"]
    route.side_effect = [httpx.Response(200, content=index(capability(9)))]
    assert (await refresh(client))["outcome"] == "held"
    before = await world(client)

    answer = await client.post(PATH, headers=WRITER, json={"digest": seen})

    told = problem(answer, "held-replaced")
    assert (await client.get("/v1/repos/state-hub")).json()["source"]["held_digest"] in told["detail"]
    assert await world(client) == before


@pytest.mark.parametrize(
    "body",
    [b"{}", b"[]", b'{"digest": 1}', b'{"digest": "sha256:1"}', b'{"digest": null}', b"nonsense", b'{"diggest": "x"}'],
)
async def test_lets_in_nothing_for_a_body_that_names_no_digest(
    client: httpx.AsyncClient, upstream: respx.MockRouter, body: bytes
) -> None:
    await hold(client, upstream)
    before = await world(client)

    answer = await client.post(PATH, headers={**WRITER, "Content-Type": "application/json"}, content=body)

    problem(answer, "malformed-body")
    assert await world(client) == before


async def test_what_the_line_names_is_let_in_or_nothing_is(
    client: httpx.AsyncClient, upstream: respx.MockRouter, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = await hold(client, upstream)
    note, later, read = TinyStore.note, list[asyncio.Task[Any]](), asyncio.Event()

    def answer_with_other_content(_: httpx.Request) -> httpx.Response:
        read.set()
        return httpx.Response(200, content=index(capability(9)))

    async def note_while_other_content_comes(*arguments: Any) -> None:
        await note(*arguments)
        later.append(asyncio.create_task(hub.sources.refresh("state-hub")))
        await read.wait()

    route.side_effect = answer_with_other_content
    monkeypatch.setattr(TinyStore, "note", note_while_other_content_comes)

    answer = await client.post(PATH, headers=WRITER)
    await asyncio.gather(*later)

    # What came meanwhile waited for the acceptance, and was then judged by what had been let in.
    assert (answer.json()["outcome"], answer.json()["source"]["capability_count"]) == ("changed", 2)
    shown = (await client.get("/v1/repos/state-hub")).json()["source"]
    assert (shown["state"], shown["capability_count"]) == ("fresh", 1)
    lines = (await client.get("/v1/repos/state-hub/history")).json()["history"]
    assert [line["action"] for line in lines] == ["accept", "register"]


async def test_of_two_acceptances_at_once_one_lets_in_what_both_named(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await hold(client, upstream)

    answers = await asyncio.gather(*(client.post(PATH, headers=WRITER) for _ in range(2)))

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    # Who was refused let in nothing, and the history does not say so.
    lines = (await client.get("/v1/repos/state-hub/history")).json()["history"]
    assert [line["action"] for line in lines] == ["accept", "register"]
    assert (await client.get("/v1/repos/state-hub")).json()["source"]["capability_count"] == 2
