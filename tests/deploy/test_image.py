"""What goes into the image, held against the rules for it; that it runs is shown by ``make image-test``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.rig import ALLOCATOR
from shared.version import VERSION
from tests.deploy.rendering import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)).splitlines()
COPIED = {
    source
    for line in INSTRUCTIONS
    if line.startswith("COPY") and "--from" not in line
    for source in line.split()[1:-1]
}


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_looks(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian:latest\nRUN apt-get install python3\n", encoding="utf-8")
    done = subprocess.run([Path(sys.executable).with_name("hadolint"), bad], capture_output=True, check=False)

    assert done.returncode != 0


def test_both_stages_start_from_the_base_that_can_be_chosen() -> None:
    assert INSTRUCTIONS[0] == "ARG BASE_IMAGE=python:3.12-slim-bookworm"
    assert [line.split()[1] for line in INSTRUCTIONS if line.startswith("FROM")] == ["${BASE_IMAGE}"] * 2


def test_the_user_is_a_number_that_is_not_root() -> None:
    last = INSTRUCTIONS[[number for number, line in enumerate(INSTRUCTIONS) if line.startswith("FROM")][-1] :]
    assert [line for line in last if line.startswith("USER")] == ["USER 10001:10001"]


def test_the_image_manages_memory_as_the_hub_that_is_measured_does() -> None:
    (line,) = (line for line in INSTRUCTIONS if line.startswith("ENV"))
    settings = dict(word.split("=", 1) for word in line.split()[1:])

    assert settings.items() >= ALLOCATOR.items()


def test_what_is_copied_is_what_the_hub_runs_on() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench"}

    assert {"cli.py", "router.py", "requirements.txt", "schemas"} | packages <= COPIED
    assert not COPIED & {".", "tests", "docs", "registry", "requirements-dev.txt"}


def test_what_is_copied_is_let_through_to_the_builder_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()

    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == COPIED


@pytest.mark.parametrize("label", ["title", "description", "version", "revision", "source", "licenses"])
def test_the_image_says_what_it_is(label: str) -> None:
    assert f"org.opencontainers.image.{label}=" in DOCKERFILE


def test_it_runs_the_client_as_the_command_reuse_surface() -> None:
    assert "ln -s /app/cli.py /usr/local/bin/reuse-surface" in DOCKERFILE
    assert INSTRUCTIONS[-1] == 'CMD ["reuse-surface", "serve", "--host", "::"]'
    assert (ROOT / "cli.py").stat().st_mode & 0o111 == 0o111
    assert any("/app/shared/server/probe.py" in line for line in INSTRUCTIONS if line.startswith("HEALTHCHECK"))


def test_every_version_of_a_package_is_pinned() -> None:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line and line[0] != "#" and not re.fullmatch(r"[\w-]+==[\w.]+", line)] == []


@pytest.mark.parametrize("program", ["image_test.py"])
def test_the_programs_that_make_it_know_the_version(program: str) -> None:
    text = (ROOT / "scripts" / program).read_text(encoding="utf-8")

    assert "cli.py" in text
    assert VERSION not in text
