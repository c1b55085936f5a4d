from __future__ import annotations

import re

import pytest

from shared.problems import PROBLEMS, Problem, remedy_of


@pytest.mark.parametrize("kind", [pytest.param(kind, id=slug) for slug, kind in PROBLEMS.items()])
def test_every_type_says_what_it_means_and_what_to_do(kind: type[Problem]) -> None:
    assert re.fullmatch("[a-z]+(-[a-z]+)*", kind.slug)
    assert 400 <= kind.status < 600
    assert kind.title[0].isupper()
    assert not kind.title.endswith(".")
    assert kind.meaning().endswith(".")
    assert "  " not in kind.meaning()
    assert kind.remedy.endswith((".", "}."))


def test_what_to_do_is_said_of_an_error_that_only_a_newer_version_knows() -> None:
    assert remedy_of("of-the-future", None).startswith("Refresh the source")
