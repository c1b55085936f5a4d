from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from shared.federation.changes import Changes
from shared.model.window import WindowBounds
from shared.parameters import cursor_to
from tests.builders import WRITER, capability, federated, index, problem, refresh, register, served, url_of

if TYPE_CHECKING:
    import httpx
    import respx

    from shared.hub import Hub
    from shared.settings import Settings

PATH = "/v1/federated/changes"


async def changes(client: httpx.AsyncClient, since: int, query: str = "") -> dict[str, Any]:
    """Return what changed since a serial."""
    answer = await client.get(f"{PATH}?since={since}{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def publish(client: httpx.AsyncClient, upstream: respx.MockRouter, *numbers: int, name: str = "Some") -> int:
    """Let state-hub publish these capabilities, and return the serial that shows them."""
    upstream.get(url_of("state-hub")).respond(content=index(*(capability(number, name=name) for number in numbers)))
    await refresh(client)
    serial: int = (await federated(client))["serial"]
    return serial


@pytest.fixture
async def known(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub that serves one source with two capabilities."""
    await register(client)
    await publish(client, upstream, 1, 2)
    return client


async def test_nothing_changed_since_the_present_serial(known: httpx.AsyncClient) -> None:
    document = await federated(known)

    told = await changes(known, document["serial"])

    assert told == {
        "since": document["serial"],
        "serial": document["serial"],
        "head": {name: document[name] for name in document if name not in {"sources", "capabilities"}},
        "sources": {"upserted": [], "removed": []},
        "capabilities": {"upserted": [], "removed": []},
        "next": None,
    }


async def test_tells_what_came_changed_and_went(known: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    before = (await federated(known))["serial"]
    await publish(known, upstream, 1, 2, name="Other")
    await publish(known, upstream, 2, 3, name="Other")

    told = await changes(known, before)

    document = await federated(known)
    assert told["serial"] == document["serial"] == before + 2
    assert told["capabilities"] == {
        "upserted": document["capabilities"],
        "removed": [{"repo": "state-hub", "id": capability(1)["id"]}],
    }
    assert told["sources"] == {"upserted": document["sources"], "removed": []}


async def test_a_repo_that_was_deregistered_is_told_as_removed(known: httpx.AsyncClient) -> None:
    before = (await federated(known))["serial"]
    await known.delete("/v1/repos/state-hub", headers=WRITER)

    told = await changes(known, before)

    assert told["sources"] == {"upserted": [], "removed": ["state-hub"]}
    assert len(told["capabilities"]["removed"]) == 2


async def test_a_reader_of_nothing_is_told_everything(known: httpx.AsyncClient) -> None:
    told = await changes(known, 0)

    document = await federated(known)
    assert told["sources"]["upserted"] == document["sources"]
    assert told["capabilities"]["upserted"] == document["capabilities"]


async def test_polling_is_answered_by_304_until_something_changes(
    known: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    target = f"{PATH}?since={(await federated(known))['serial']}"
    first = await known.get(target)
    condition = {"If-None-Match": first.headers["etag"]}

    same = await known.get(target, headers=condition)
    await publish(known, upstream, 1)
    other = await known.get(target, headers=condition)

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    assert first.headers["cache-control"] == same.headers["cache-control"] == "no-cache"
    assert (other.status_code, other.json()["capabilities"]["removed"][0]["repo"]) == (200, "state-hub")


async def test_comes_in_pages_that_lead_from_one_to_the_next(known: httpx.AsyncClient) -> None:
    answers = [await known.get(f"{PATH}?since=0&limit=1")]
    while answers[-1].json()["next"] is not None:
        link = answers[-1].headers["link"]
        answers.append(await known.get(link[link.index("<") + 1 : link.index(">")]))

    assert "link" not in answers[-1].headers
    assert len({answer.headers["etag"] for answer in answers}) == len(answers) == 3
    pages = [answer.json() for answer in answers]
    assert [len(page["sources"]["upserted"]) for page in pages] == [1, 0, 0]
    assert [page["capabilities"]["upserted"] for page in pages] == [
        [],
        *([entry] for entry in (await federated(known))["capabilities"]),
    ]


async def test_a_page_ends_early_with_the_row_that_fills_its_bytes(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    large = ["x" * 1000] * 50
    entries = [capability(number, notes=large) for number in range(100)]
    upstream.get(url_of("state-hub")).respond(content=index(*entries))
    await register(client)
    await refresh(client)

    answers = [await client.get(f"{PATH}?since=0&limit=999")]
    while answers[-1].json()["next"] is not None:
        link = answers[-1].headers["link"]
        answers.append(await client.get(link[link.index("<") + 1 : link.index(">")]))

    pages = [answer.json() for answer in answers]
    assert [len(page["sources"]["upserted"]) for page in pages] == [1, 0]
    first, second = (page["capabilities"]["upserted"] for page in pages)
    assert first + second == (await federated(client))["capabilities"]
    rows = [*pages[0]["sources"]["upserted"], *first]
    assert len(orjson.dumps(rows[:-1])) < 4 * 2**20 < len(orjson.dumps(rows))


@pytest.mark.parametrize("serial", [99, 2**53 - 1])
async def test_a_serial_that_lies_ahead_is_gone(known: httpx.AsyncClient, serial: int) -> None:
    body = problem(await known.get(f"{PATH}?since={serial}"), "serial-gone")

    assert "/v1/federated" in body["detail"]


async def test_what_changed_is_known_after_a_restart(settings: Settings, upstream: respx.MockRouter) -> None:
    async with served(settings) as client:
        await register(client)
        before = await publish(client, upstream, 1)
        await publish(client, upstream, 2)
        told = await changes(client, before)

    async with served(settings) as client:
        assert await changes(client, before) == told
    (settings.data_dir / "changes.jsonl").unlink()
    async with served(settings) as client:
        problem(await client.get(f"{PATH}?since={before}"), "serial-gone")
        assert (await changes(client, before + 1))["capabilities"]["upserted"] == []


@pytest.mark.parametrize(
    "query",
    ["", "since=", "since=x", "since=-1", "since=1&since=1", "since=1&limit=0", "since=1&limit=10001", "since=1&a=1"],
)
async def test_refuses_a_query_that_it_does_not_understand(known: httpx.AsyncClient, query: str) -> None:
    problem(await known.get(f"{PATH}?{query}"), "bad-query")


@pytest.mark.parametrize("position", ["[1]", "1 2 a", "9 0 a ", "0 0 a "])
async def test_refuses_a_cursor_that_no_page_gave(known: httpx.AsyncClient, position: str) -> None:
    problem(await known.get(f"{PATH}?since=1&cursor={cursor_to(position)}"), "bad-query")


async def test_a_conflict_that_is_won_or_lost_changes_the_row_of_the_other_source(
    known: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    upstream.get(url_of("twin")).respond(content=index(capability(2, name="Some"), capability(9)))
    await register(known, "twin")
    await refresh(known, "twin")
    before = (await federated(known))["serial"]

    await known.patch("/v1/repos/state-hub", json={"enabled": False}, headers=WRITER)

    told = await changes(known, before)
    assert [(row["repo"], row["served_count"]) for row in told["sources"]["upserted"]] == [("twin", 2)]
    assert told["sources"]["removed"] == ["state-hub"]
    assert [entry["source_repo"] for entry in told["capabilities"]["upserted"]] == ["twin"]


async def test_one_repo_that_changes_over_and_over_makes_no_copy_start_anew(
    known: httpx.AsyncClient, hub: Hub
) -> None:
    await register(known, repo="other")
    before = (await federated(known))["serial"]
    hub.federation.changes = Changes(WindowBounds(lines=8))
    hub.federation.changes.start(before)

    for enabled in [False, True] * 10 + [False]:
        answer = await known.patch("/v1/repos/other", json={"enabled": enabled}, headers=WRITER)
        assert answer.status_code == 200, answer.text

    document = await federated(known)
    assert document["serial"] >= before + 20
    for since in range(before, document["serial"]):
        told = await changes(known, since)
        assert (told["serial"], told["sources"]["removed"]) == (document["serial"], ["other"])
        assert all(row in document["sources"] for row in told["sources"]["upserted"])
        assert all(entry in document["capabilities"] for entry in told["capabilities"]["upserted"])
