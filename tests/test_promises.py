"""What SECURITY.md and docs/Reliability.md claim: every test that they name exists, and every promise names one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = ["SECURITY.md", "docs/Reliability.md"]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def names_in(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    found = set[str]()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_test_that_is_named_exists(name: str) -> None:
    named = NAMED.findall(text(name))

    assert len(named) > 15
    assert [f"{path}::{test}" for path, test in named if test not in names_in(ROOT / path)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_promise_names_its_test(name: str) -> None:
    promises = text(name).partition("## The last full run")[0]
    rows = [line for line in promises.splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    without = [row[:60] for row in rows if not NAMED.search(row) and "Shown by" not in row]

    # What is not stopped has no test, and says so.
    assert [row for row in without if "instructions for the agents" not in row] == []
