from __future__ import annotations

from shared.problems import PROBLEMS, clients


def test_released_slugs_never_change() -> None:
    assert {slug for slug, kind in PROBLEMS.items() if kind.__module__ == clients.__name__} == {
        *("malformed-request", "request-timeout", "head-too-large", "too-many-requests", "overloaded"),
    }
