from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import NO_BROWSER, pytest_terminal_summary


class Terminal:
    """Takes down what pytest would print."""

    def __init__(self, **stats: list[Any]) -> None:
        self.stats = stats
        self.said = io.StringIO()

    def section(self, title: str) -> None:
        """Print a heading."""
        print(f"== {title}", file=self.said)

    def line(self, text: str) -> None:
        """Print a line."""
        print(text, file=self.said)


def skipped(reason: str) -> SimpleNamespace:
    return SimpleNamespace(longrepr=("tests/some.py", 1, f"Skipped: {reason}"))


@pytest.mark.parametrize(
    ("stats", "said"),
    [
        ({}, ""),
        ({"skipped": [skipped("kubectl is not here")]}, ""),
        (
            {"skipped": [skipped("kubectl is not here"), *[skipped(NO_BROWSER)] * 2]},
            f"== tests that did not run\n2 tests in tests/browser. {NO_BROWSER}.\n",
        ),
        ({"passed": [SimpleNamespace(user_properties=[("A search", "7 ms")])]}, "A search: 7 ms\n"),
    ],
    ids=["nothing", "for another reason", "for want of a browser", "what was measured"],
)
def test_the_end_of_a_run_tells_what_did_not_run_and_what_was_measured(stats: dict[str, Any], said: str) -> None:
    terminal: Any = Terminal(**stats)

    pytest_terminal_summary(terminal)

    assert terminal.said.getvalue() == said
