from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.validate_registry import INDEX, MANIFEST, faults

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of this repository's registry."""
    shutil.copytree(ROOT / "registry", tmp_path / "registry")
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_this_repositorys_own_registry_is_in_order() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "validate_registry.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "registry: in order\n")


def test_faults_make_it_fail(folder: Path) -> None:
    (folder / INDEX).write_text("version: 1\n", encoding="utf-8")
    command = [sys.executable, str(ROOT / "scripts" / "validate_registry.py"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stdout.startswith(INDEX)
    assert done.stdout.endswith("registry: 1 faults\n")


def test_an_entry_without_its_document_is_a_fault(folder: Path) -> None:
    (folder / "registry/capabilities/capability.registry.browse.md").unlink()

    (fault,) = faults(folder)
    assert "which does not exist" in fault


def test_a_document_without_its_entry_is_a_fault(folder: Path) -> None:
    (folder / "registry/capabilities/more.md").write_text("More.\n", encoding="utf-8")

    assert list(faults(folder)) == ["registry/capabilities/more.md: no entry of the index names it"]


def test_a_document_that_says_another_maturity_is_a_fault(folder: Path) -> None:
    path = folder / "registry/capabilities/capability.registry.browse.md"
    path.write_text("capability.registry.browse\n", encoding="utf-8")

    (fault,) = faults(folder)
    assert "does not say the vector" in fault


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("repo: reuse-surface", "repo: another", "among them"),
        ("coulomb/reuse-surface/raw", "coulomb/another/raw", "has not the URL"),
        ("version: 1", "version: 7", "/version"),
    ],
)
def test_the_manifest_must_be_valid_and_name_us_by_our_url(folder: Path, old: str, new: str, said: str) -> None:
    change(folder / MANIFEST, old, new)

    assert any(said in fault for fault in faults(folder))
