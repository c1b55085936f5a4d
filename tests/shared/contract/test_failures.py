from __future__ import annotations

from typing import Any

import pytest

from shared.contract.failures import Failures
from shared.problems import BadQuery, MalformedBody


def statuses(**said: Any) -> list[str]:
    return [*Failures({}).of("problem", said)]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["500", "503"]),
        ({"problems": ["bad-query", "not-found"]}, ["400", "404", "500", "503"]),
        ({"body": {}}, ["413", "415", "500", "503"]),
        ({"token": True}, ["401", "403", "429", "500", "503", "507"]),
    ],
    ids=["all", "as written", "with a body", "with a token"],
)
def test_operations_have_the_problems_of_their_kind(said: dict[str, Any], expected: list[str]) -> None:
    assert statuses(**said) == expected


def test_problems_of_one_status_share_a_response_that_tells_what_each_means() -> None:
    failures = Failures({"bad-query": {"detail": "limit is odd.", "instance": "/v1/x"}})
    responses = failures.of("problem", {"problems": ["malformed-body", "bad-query"]})

    assert responses["400"] == {"$ref": "#/components/responses/bad-query-or-malformed-body"}
    made = failures.responses["bad-query-or-malformed-body"]
    assert made["description"].split("\n\n") == [
        f"{BadQuery.meaning()} (`bad-query`)", f"{MalformedBody.meaning()} (`malformed-body`)",
    ]  # fmt: skip
    assert made["content"]["application/problem+json"] == {
        "schema": {"$ref": "#/components/schemas/Problem"},
        "examples": {
            "bad-query": {
                "value": {
                    "type": "https://reuse.coulomb.social/problems/bad-query",
                    "title": BadQuery.title,
                    "status": 400,
                    "detail": "limit is odd.",
                    "instance": "/v1/x",
                }
            }
        },
    }


def test_some_statuses_come_with_a_header() -> None:
    failures = Failures({})
    failures.of("problem", {"token": True})

    named = {name: [*one.get("headers", [])] for name, one in failures.responses.items()}
    assert named["unauthorized"] == ["WWW-Authenticate"]
    assert named["too-many-requests"] == ["Retry-After"]
    assert named["internal-error"] == []


def test_a_full_volume_is_a_status_of_its_own() -> None:
    responses = Failures({}).of("problem", {"token": True})

    assert responses["503"]["$ref"].endswith("/overloaded-or-storage-unavailable")
    assert responses["507"]["$ref"].endswith("/storage-unavailable-when-full")


def test_failures_outside_the_api_are_pages_too() -> None:
    failures = Failures({})

    assert failures.of("page", {}) == {
        "500": {"$ref": "#/components/responses/page-internal-error"},
        "503": {"$ref": "#/components/responses/page-overloaded"},
    }
    assert [*failures.responses["page-internal-error"]["content"]] == ["application/problem+json", "text/html"]


def test_failures_of_ard_are_in_its_envelope() -> None:
    failures = Failures({})

    responses = failures.of("ard", {"problems": ["not-found"]})
    assert responses["404"] == {"$ref": "#/components/responses/ard-not-found"}
    [content] = failures.responses["ard-not-found"]["content"].values()
    assert content["schema"] == {"$ref": "#/components/schemas/ArdError"}
    assert content["examples"]["not-found"]["value"]["errorCode"] == "NOT_FOUND"
