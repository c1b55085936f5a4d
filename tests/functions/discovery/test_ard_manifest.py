from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tests.builders import capability, index, refresh, register, url_of
from tests.functions.discovery.publishing import publish

if TYPE_CHECKING:
    import httpx
    import respx

PATH = "/.well-known/ard.json"
# The rules of the strictest client that is known: it drops a whole catalog for one entry that it does not take.
STRICT_URN = re.compile(
    r"urn:air:(?=.{1,253}:)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(?::[A-Za-z0-9._-]+)+"
)
MOST_BYTES = 2_000_000
DEEPEST = 2


def check(entry: dict[str, Any]) -> None:
    """Hold an entry against the strictest rules."""
    assert STRICT_URN.fullmatch(entry["identifier"]), entry
    assert all(isinstance(entry[name], str) and entry[name].strip() for name in ("displayName", "type", "url"))
    assert "data" not in entry
    assert urlsplit(entry["url"]).scheme in {"http", "https"}
    assert all(isinstance(text, str) for name in ("tags", "capabilities") for text in entry.get(name, []))
    assert 2 <= len(entry.get("representativeQueries", ["", ""])) <= 5
    assert all(isinstance(value, str | int | float | bool | None) for value in entry.get("metadata", {}).values())


async def test_a_strict_client_can_walk_to_every_capability(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream)
    todo, seen, found = [(f"http://hub{PATH}", 0)], set[str](), list[str]()
    while todo:
        url, depth = todo.pop(0)
        assert depth <= DEEPEST
        assert url not in seen
        seen.add(url)
        answer = await client.get(url, headers={"Accept": "application/json"})
        assert answer.status_code == 200
        assert len(answer.content) <= MOST_BYTES
        for entry in answer.json()["entries"]:
            check(entry)
            if entry["type"] == "application/ai-catalog+json":
                todo.append((urljoin(url, entry["url"]), depth + 1))
            elif entry["type"] != "application/ai-registry+json":
                found += entry["capabilities"]

    assert sorted(found) == [capability(number)["id"] for number in (1, 2, 4)]
    assert len(seen) == 3


async def test_it_leads_to_the_search_that_answers(client: httpx.AsyncClient) -> None:
    (registry,) = (await client.get(PATH)).json()["entries"]

    answer = await client.post(urljoin(registry["url"], "search"), json={"query": {"text": "x"}})

    assert (registry["type"], answer.json()) == ("application/ai-registry+json", {"results": []})


async def test_a_known_one_is_a_304_until_another_repo_serves_something(
    client: httpx.AsyncClient, upstream: respx.MockRouter
) -> None:
    await publish(client, upstream)
    first = await client.get(PATH)
    tag = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(PATH, headers=tag)).status_code == 304
    upstream.get(url_of("new")).respond(content=index(capability(9)))

    await register(client, "new")
    await refresh(client, "new")

    again = await client.get(PATH, headers=tag)
    assert [one["displayName"] for one in again.json()["entries"][1:]] == ["new", "shed", "sky"]
    assert (again.status_code, again.headers["content-type"]) == (200, "application/json")
    assert "max-age" in again.headers["cache-control"]
