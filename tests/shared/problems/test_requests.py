from __future__ import annotations

import re

from shared.problems import PROBLEMS, requests


def test_released_slugs_never_change() -> None:
    assert {slug for slug, kind in PROBLEMS.items() if kind.__module__ == requests.__name__} == {
        *("malformed-body", "bad-query", "unauthorized", "read-only", "not-found", "repo-not-found"),
        *("method-not-allowed", "not-acceptable", "repo-exists", "url-registered", "repo-disabled"),
        *("nothing-held", "precondition-failed", "body-too-large", "unsupported-media-type", "invalid-registration"),
        *("capability-not-found", "serial-gone", "held-replaced"),
        "forbidden",
    }


def test_a_remedy_names_no_size_that_a_setting_changes() -> None:
    assert not re.search("[0-9]", PROBLEMS["body-too-large"].remedy)
