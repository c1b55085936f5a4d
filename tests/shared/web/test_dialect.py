from __future__ import annotations

import pytest

from router import ENDPOINTS
from shared.pages import PAGE
from shared.problems import PROBLEMS
from shared.web.dialect import ARD, ARD_CODES, PROBLEM, Dialect, envelope


@pytest.mark.parametrize(
    ("slug", "code"),
    [
        ("bad-query", "INVALID_ARGUMENT"),
        ("malformed-body", "INVALID_ARGUMENT"),
        ("unsupported-media-type", "INVALID_ARGUMENT"),
        ("unauthorized", "UNAUTHENTICATED"),
        ("not-found", "NOT_FOUND"),
        ("method-not-allowed", "NOT_IMPLEMENTED"),
        ("too-many-requests", "RATE_LIMIT_EXCEEDED"),
        ("internal-error", "INTERNAL_ERROR"),
        ("search-timeout", "INTERNAL_ERROR"),
    ],
)
def test_every_failure_has_a_code_of_ard(slug: str, code: str) -> None:
    assert envelope(PROBLEMS[slug]("Why.")) == {"errorCode": code, "message": "Why."}
    assert code in ARD_CODES


@pytest.mark.parametrize(
    ("dialect", "headers"),
    [
        (PROBLEM, {"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Max-Age": "86400"}),
        (PAGE, {"Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Max-Age": "86400"}),
        (
            ARD,
            {
                "Access-Control-Allow-Methods": "GET, HEAD, POST",
                "Access-Control-Max-Age": "86400",
                "Access-Control-Allow-Headers": "Content-Type",
            },
        ),
    ],
    ids=["problem", "page", "ard"],
)
def test_scripts_of_other_origins_may_send_what_only_reads(dialect: Dialect, headers: dict[str, str]) -> None:
    assert dialect.preflight() == headers


@pytest.mark.parametrize("part", [slice(None), slice(0, 2)], ids=["path", "first segment"])
def test_rows_of_one_path_and_of_one_first_segment_have_one_dialect(part: slice) -> None:
    dialects: dict[str, set[str]] = {}
    for _, path, _, dialect in ENDPOINTS:
        dialects.setdefault("/".join(path.split("/")[part]), set()).add(dialect.name)

    assert {place: names for place, names in dialects.items() if len(names) > 1} == {}
