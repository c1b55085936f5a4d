from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.release import NAMED, faults
from shared.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A copy of what names the version, as it is when a release is ready."""
    for name in NAMED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    changelog = f"# Changelog\n\n## Unreleased\n\n## {VERSION}\n\n- All.\n"
    (tmp_path / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    return tmp_path


def run(version: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "release.py"), version, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_says_what_to_type_when_all_agree(ready: Path) -> None:
    done = run(VERSION, ready)

    assert done.returncode == 0, done.stdout
    assert f"git tag -a v{VERSION}" in done.stdout
    assert f"gitea.coulomb.social/coulomb/reuse-surface:{VERSION}" in done.stdout


@pytest.mark.parametrize("name", NAMED)
def test_names_each_file_that_says_another_version(ready: Path, name: str) -> None:
    path = ready / name
    path.write_text(path.read_text(encoding="utf-8").replace(VERSION, "0.0.9"), encoding="utf-8")

    assert list(faults(VERSION, ready)) == [f"{name}: says 0.0.9"]
    assert run(VERSION, ready).returncode == 1


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        ("## Unreleased\n\n- More.\n\n## {}\n", "stand under Unreleased"),
        ("## Unreleased\n\n## 0.0.9\n", "its newest version is 0.0.9"),
        ("# Changelog\n", "its newest version is none"),
    ],
)
def test_the_changelog_must_tell_of_it(ready: Path, changelog: str, said: str) -> None:
    (ready / "CHANGELOG.md").write_text(changelog.format(VERSION), encoding="utf-8")

    (fault,) = faults(VERSION, ready)
    assert said in fault


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "latest"])
def test_a_version_is_three_numbers(ready: Path, version: str) -> None:
    (fault,) = faults(version, ready)

    assert "three numbers" in fault
