from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from shared.schemas import FOLDER, NAMES
from tests.builders import problem

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("name", NAMES)
async def test_answers_as_json_or_as_the_yaml_that_is_kept(client: httpx.AsyncClient, name: str) -> None:
    as_json = await client.get(f"/schemas/{name}")
    as_yaml = await client.get(f"/schemas/{name}", headers={"Accept": "application/yaml"})
    by_format = await client.get(f"/schemas/{name}?format=yaml")

    assert as_json.headers["content-type"] == "application/json"
    assert as_yaml.headers["content-type"] == by_format.headers["content-type"] == "application/yaml"
    assert as_yaml.content == by_format.content == (FOLDER / f"{name}.schema.yaml").read_bytes()
    assert yaml.safe_load(as_yaml.content) == as_json.json()
    assert as_json.json()["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("accept", ["application/json", "application/yaml"])
async def test_a_copy_is_good_until_the_schema_changes(client: httpx.AsyncClient, accept: str) -> None:
    first = await client.get("/schemas/problem", headers={"Accept": accept})
    again = await client.get("/schemas/problem", headers={"Accept": accept, "If-None-Match": first.headers["etag"]})
    other = await client.get("/schemas/federation", headers={"Accept": accept})

    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["vary"] == again.headers["vary"] == "Accept"
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["etag"] != other.headers["etag"]


async def test_there_is_one_for_every_file_of_the_folder() -> None:
    assert sorted(NAMES) == sorted(path.name.removesuffix(".schema.yaml") for path in FOLDER.glob("*.schema.yaml"))


@pytest.mark.parametrize("name", ["openapi", "federation.schema", "Federation", "..%2Frouter", "%00", "a\u202eb"])
async def test_knows_no_other(client: httpx.AsyncClient, name: str) -> None:
    problem(await client.get(f"/schemas/{name}"), "not-found")


async def test_refuses_what_it_does_not_offer(client: httpx.AsyncClient) -> None:
    problem(await client.get("/schemas/problem?format=xml"), "bad-query")
    problem(await client.get("/schemas/problem", headers={"Accept": "text/html"}), "not-acceptable")
