from __future__ import annotations

from shared.problems import PROBLEMS, hub


def test_released_slugs_never_change() -> None:
    assert {slug for slug, kind in PROBLEMS.items() if kind.__module__ == hub.__name__} == {
        *("internal-error", "federation-incomplete", "search-timeout", "storage-unavailable"),
        *("not-shown-yet", "registrations-full"),
    }
