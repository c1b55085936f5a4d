from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import capability, index, problem, refresh, register, searchable, url_of, world

if TYPE_CHECKING:
    import httpx
    import respx

    from tests.builders import Hands

WEATHER = {
    "id": "capability.weather.read-now", "name": "Read the weather", "summary": "Tells how it is outside.",
    "vector": "D5 / A4 / C3 / R2", "status": "active", "owner": "sky", "tags": ["weather", "Outside"],
    "consumption_modes": ["http-api", "cli"],
}  # fmt: skip
FORECAST = {"id": "capability.forecast", "name": "Forecast", "summary": "Weather of tomorrow.", "vector": "D1 / A2"}
PAINT = {"id": "capability.paint", "name": "Paint a house", "domain": "craft", "status": "draft", "vector": "A5"}


@pytest.fixture
async def full(client: httpx.AsyncClient, upstream: respx.MockRouter, hands: Hands) -> httpx.AsyncClient:
    """A client of a hub with some capabilities of two repos."""
    upstream.get(url_of("sky")).respond(content=index(WEATHER, FORECAST))
    upstream.get(url_of("craft")).respond(content=index(PAINT, {**WEATHER, "name": "Mine"}, domain="index_domain"))
    for repo in ("sky", "craft"):
        await register(client, repo)
        await refresh(client, repo)
        hands.advance(1)
    return await searchable(client)


async def ids(client: httpx.AsyncClient, **params: Any) -> list[str]:
    answer = await client.get("/v1/capabilities", params=params)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["total"] >= len(body["capabilities"])
    return [entry["id"].removeprefix("capability.") for entry in body["capabilities"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("weather", ["weather.read-now", "forecast"]),
        ("WEATHER", ["weather.read-now", "forecast"]),
        ("outside", ["weather.read-now"]),
        ("read now", ["weather.read-now"]),
        ("weather.read-now", ["weather.read-now"]),
        ("forec", ["forecast"]),
        ("tomorrow weather", ["forecast"]),
        ("weather house", []),
        ("sky", []),
        ("mine", []),
        ("*", []),
        (" ", ["paint", "forecast", "weather.read-now"]),
    ],
)
async def test_finds_by_words(full: httpx.AsyncClient, text: str, found: list[str]) -> None:
    assert await ids(full, q=text) == found


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, ["paint", "forecast", "weather.read-now"]),
        ({"repo": "sky"}, ["forecast", "weather.read-now"]),
        ({"domain": "helix_forge"}, ["forecast", "weather.read-now"]),
        ({"domain": "craft"}, ["paint"]),
        ({"domain": "index_domain"}, []),
        ({"status": "draft"}, ["paint"]),
        ({"tag": "Outside"}, ["weather.read-now"]),
        ({"tag": "outside"}, []),
        ({"owner": "sky"}, ["weather.read-now"]),
        ({"consumption_mode": "cli"}, ["weather.read-now"]),
        ({"min_availability": "A4"}, ["paint", "weather.read-now"]),
        ({"min_availability": "5"}, ["paint"]),
        ({"min_definition": "D2"}, ["weather.read-now"]),
        ({"min_consumption": "C3"}, ["weather.read-now"]),
        ({"min_reliability": "R3"}, []),
        ({"q": "weather", "min_availability": "A3", "repo": "sky"}, ["weather.read-now"]),
    ],
)
async def test_finds_by_facts(full: httpx.AsyncClient, filters: dict[str, str], found: list[str]) -> None:
    assert await ids(full, **filters) == found


async def test_answers_what_the_federated_index_says(full: httpx.AsyncClient) -> None:
    whole = (await full.get("/v1/federated")).json()

    answer = await full.get("/v1/capabilities")

    assert answer.json() == {"capabilities": whole["capabilities"], "total": 3, "next": None}
    assert answer.headers["reuse-surface-serial"] == str(whole["serial"])


async def test_answers_the_fields_that_are_asked_for_and_those_that_are_always_there(
    full: httpx.AsyncClient,
) -> None:
    answer = await full.get("/v1/capabilities", params={"q": "weather", "fields": "owner,id,nothing"})

    assert [[*entry] for entry in answer.json()["capabilities"]] == [
        ["id", "name", "source_repo", "owner"], ["id", "name", "source_repo"],
    ]  # fmt: skip
    whole = {entry["id"]: entry for entry in (await full.get("/v1/federated")).json()["capabilities"]}
    assert all(entry.items() <= whole[entry["id"]].items() for entry in answer.json()["capabilities"])


async def test_counts_the_facts_of_all_that_is_found(full: httpx.AsyncClient) -> None:
    answer = await full.get("/v1/capabilities", params={"facets": "true", "limit": 1})

    facets = answer.json()["facets"]
    assert facets["repo"] == [{"value": "sky", "count": 2}, {"value": "craft", "count": 1}]
    assert facets["availability"] == [{"value": level, "count": 1} for level in ("A2", "A4", "A5")]
    assert facets["status"] == [{"value": "active", "count": 1}, {"value": "draft", "count": 1}]


async def test_a_facet_has_at_most_a_hundred_values(client: httpx.AsyncClient, upstream: respx.MockRouter) -> None:
    entries = (capability(number, owner=f"team-{number}") for number in range(101))
    upstream.get(url_of("state-hub")).respond(content=index(*entries))
    await register(client)
    await refresh(client)
    await searchable(client)

    assert len((await client.get("/v1/capabilities?facets=true")).json()["facets"]["owner"]) == 100


@pytest.mark.parametrize("text", ["weather", ""])
async def test_pages_follow_each_other_by_cursor_and_by_link(full: httpx.AsyncClient, text: str) -> None:
    whole = await ids(full, q=text)
    shown: list[str] = []
    target = f"/v1/capabilities?q={text}&limit=1"
    while target:
        answer = await full.get(target)
        shown += [entry["id"].removeprefix("capability.") for entry in answer.json()["capabilities"]]
        target = answer.headers.get("link", "").partition(">")[0][1:]
        following = answer.json()["next"]
        assert (following is None) == (target == "")
        if following:
            assert (await full.get(f"/v1/capabilities?q={text}&limit=1&cursor={following}")).status_code == 200

    assert shown == whole
    assert len(whole) >= 2


@pytest.mark.parametrize(
    "query",
    [
        {"q": "x" * 201}, {"domain": "A"}, {"repo": ""}, {"status": ""}, {"tag": "x" * 201}, {"min_availability": "D4"},
        {"min_definition": ""}, {"facets": "yes"}, {"fields": ""}, {"limit": "0"}, {"limit": "1001"}, {"cursor": "x"},
        {"format": "yaml"}, {"min_a": "4"},
    ],
    ids=str,
)  # fmt: skip
async def test_what_can_not_be_asked_is_refused(full: httpx.AsyncClient, query: dict[str, str]) -> None:
    before = await world(full)

    detail = problem(await full.get("/v1/capabilities", params=query), "bad-query")["detail"]

    assert next(iter(query)) in detail
    assert await world(full) == before


async def test_a_text_of_200_characters_may_be_asked(full: httpx.AsyncClient) -> None:
    assert await ids(full, q="x " * 100) == []


@pytest.mark.parametrize(
    "text", ['"', "a AND", "NEAR(a b)", "id:weather", "weather*", "^weather", "-weather", "{id}:x", "\0", "'; --", "%"]
)
async def test_no_text_is_an_error(full: httpx.AsyncClient, text: str) -> None:
    assert (await full.get("/v1/capabilities", params={"q": text})).status_code == 200


async def test_a_known_answer_is_a_304_until_the_federated_index_changes(
    full: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    first = await full.get("/v1/capabilities?q=weather")
    tag = {"If-None-Match": first.headers["etag"]}
    known = await full.get("/v1/capabilities?q=weather", headers=tag)
    assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await full.get("/v1/capabilities?q=weathe", headers=tag)).status_code == 200
    assert (await full.get("/v1/capabilities?q=weather&fields=id", headers=tag)).status_code == 200
    upstream.get(url_of("sky")).respond(content=index(FORECAST))

    await refresh(full, "sky")
    await searchable(full)

    changed = await full.get("/v1/capabilities?q=weather", headers=tag)
    assert changed.status_code == 200
    # The other repo's claim to the id is served now.
    assert [entry["name"] for entry in changed.json()["capabilities"]] == ["Mine", "Forecast"]
    assert int(changed.headers["reuse-surface-serial"]) > int(first.headers["reuse-surface-serial"])


async def test_a_repo_that_is_not_registered_is_an_error(client: httpx.AsyncClient) -> None:
    problem(await client.get("/v1/capabilities?repo=nobody&q=x"), "repo-not-found")
    await register(client)

    assert (await client.get("/v1/capabilities?repo=state-hub")).json()["total"] == 0


@pytest.mark.parametrize(
    ("query", "unmatched"),
    [
        ({"domain": "nope"}, ["domain"]),
        ({"tag": "outside"}, ["tag"]),
        ({"owner": "nobody", "status": "active"}, ["owner"]),
        ({"min_reliability": "R9", "consumption_mode": "post"}, ["consumption_mode", "min_reliability"]),
        ({"q": "house", "domain": "nope"}, ["domain"]),
        ({"status": "draft", "owner": "sky"}, None),
        ({"q": "nowhere"}, None),
        ({"tag": "Outside"}, None),
    ],
)
async def test_names_the_filters_that_nothing_served_meets(
    full: httpx.AsyncClient, query: dict[str, str], unmatched: list[str] | None
) -> None:
    body = (await full.get("/v1/capabilities", params=query)).json()

    assert body.get("unmatched") == unmatched
    assert body["total"] == (1 if query == {"tag": "Outside"} else 0)
