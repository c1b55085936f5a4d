"""The records of decisions, and the guide for contributors: what they name of the code is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECORDS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
GUIDES = [*RECORDS, ROOT / "CONTRIBUTING.md"]
MODULES = [ROOT / "router.py", ROOT / "cli.py", *(ROOT / "functions").rglob("*.py"), *(ROOT / "shared").rglob("*.py")]
STATUS = re.compile(r"\d{4}-\d\d-\d\d, accepted(; .+ (is|are) replaced by \[\d+\]\(\d{4}-[\w-]+\.md\))?")


def name_of(path: Path) -> str:
    return path.name


def named(path: Path, pattern: str) -> set[str]:
    """Return what stands in *path* as code, outside of blocks, and matches *pattern* as a whole."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {code for code in re.findall(r"`([^`\n]+)`", text) if re.fullmatch(pattern, code)}


@cache
def members() -> dict[str, set[str]]:
    """Return the names that each class of the code defines or assigns, its bases left out."""
    found: dict[str, set[str]] = {}
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(names_in(node))
    return found


def names_in(of: ast.ClassDef) -> set[str]:
    nodes = list(ast.walk(of))
    methods = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    fields = {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    return methods | fields | attributes


@pytest.mark.parametrize("record", RECORDS, ids=name_of)
def test_a_record_says_its_number_its_date_and_what_replaces_it(record: Path) -> None:
    title, blank, status, *_ = record.read_text(encoding="utf-8").splitlines()

    assert title.startswith(f"# {int(record.name[:4])}. ")
    assert blank == ""
    assert STATUS.fullmatch(status), status
    assert all((record.parent / target).is_file() for target in re.findall(r"\]\(([^)]+)\)", status))


def test_the_records_are_numbered_in_the_order_of_their_dates() -> None:
    dates = [record.read_text(encoding="utf-8").splitlines()[2][:10] for record in RECORDS]

    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    assert dates == sorted(dates)


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_every_file_and_folder_that_is_named_is_there(guide: Path) -> None:
    paths = named(guide, r"(shared|functions|tests|schemas|docs|bench|specs|examples|k8s|scripts)/[\w./*-]*")

    assert {path for path in paths if not list(ROOT.glob(path))} == set()


@pytest.mark.parametrize("guide", GUIDES, ids=name_of)
def test_every_member_of_a_class_that_is_named_is_there(guide: Path) -> None:
    pairs = {tuple(code.split(".")) for code in named(guide, r"[A-Z]\w*[a-z]\w*\.[a-z_]\w*")}

    assert {f"{kind}.{name}" for kind, name in pairs if name not in members().get(kind, {name})} == set()


def test_this_looks_at_names_that_there_are() -> None:
    assert len(RECORDS) > 30
    assert {"shown", "register"} <= members()["Registry"]
    assert "shared/signals.py" in named(RECORDS[30], r"shared/.+")
