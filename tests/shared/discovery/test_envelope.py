from __future__ import annotations

import pytest

from shared.discovery.envelope import envelope
from shared.problems import PROBLEMS


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
