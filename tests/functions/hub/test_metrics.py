from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.builders import TOKEN, register

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize("accept", ["*/*", "application/openmetrics-text;version=nonsense", "application/json"])
async def test_answers_in_the_text_format_whatever_is_accepted(client: httpx.AsyncClient, accept: str) -> None:
    answer = await client.get("/metrics?unknown=1", headers={"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"reuse_surface_federation_serial", "reuse_surface_http_requests", "process_cpu_seconds"} <= names


async def test_tells_no_token_and_no_name_that_callers_made_up(client: httpx.AsyncClient) -> None:
    await register(client)
    await client.get(f"/v1/made-up/{TOKEN}")

    said = (await client.get("/metrics")).text

    assert TOKEN not in said
    assert "made-up" not in said
    assert 'route="(none)",status="404"' in said
