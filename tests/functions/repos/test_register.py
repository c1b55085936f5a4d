from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import WRITER, problem, registration

if TYPE_CHECKING:
    import httpx


async def test_answers_with_the_registration_and_where_it_lies(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/repos", json=registration(required=True), headers=WRITER)

    assert answer.status_code == 201
    assert (answer.headers["location"], answer.headers["etag"]) == ("/v1/repos/state-hub", '"1"')
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
