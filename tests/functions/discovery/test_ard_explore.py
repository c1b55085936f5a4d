from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import ard_error
from tests.functions.discovery.publishing import publish

if TYPE_CHECKING:
    import httpx
    import respx


@pytest.fixture
async def full(client: httpx.AsyncClient, upstream: respx.MockRouter) -> httpx.AsyncClient:
    """A client of a hub with a few capabilities."""
    return await publish(client, upstream)


async def test_counts_values_over_everything(full: httpx.AsyncClient) -> None:
    facets = [
        {"field": "type"},
        {"field": "metadata.domain", "limit": 1},
        {"field": "metadata.source_repo", "minCount": 2},
    ]

    answer = await full.post("/ard/explore", json={"resultType": {"facets": facets}})

    assert answer.json() == {
        "resultType": "facets",
        "facets": {
            "type": {
                "buckets": [
                    {"value": "application/json", "count": 2},
                    {"value": "text/html", "count": 1},
                    {"value": "text/markdown", "count": 1},
                ],
                "otherCount": 0,
            },
            "metadata.domain": {"buckets": [{"value": "helix_forge", "count": 3}], "otherCount": 1},
            "metadata.source_repo": {"buckets": [{"value": "sky", "count": 3}], "otherCount": 0},
        },
    }


async def test_counts_over_what_a_search_would_find(full: httpx.AsyncClient) -> None:
    query = {"text": "weather tool", "filter": {"metadata.source_repo": ["sky"]}}

    answer = await full.post("/ard/explore", json={"query": query, "resultType": {"facets": [{"field": "tags"}]}})

    assert answer.json()["facets"]["tags"]["buckets"] == [{"value": "sky", "count": 1}]


async def test_what_can_not_be_counted_is_refused(full: httpx.AsyncClient) -> None:
    answer = await full.post("/ard/explore", json={"resultType": {"facets": [{"field": "colour"}]}})

    assert "metadata.domain" in ard_error(answer, 400, "INVALID_ARGUMENT")
