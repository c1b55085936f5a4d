"""Completion, asked as the scripts ask, and by the shells themselves where they are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.builders import capability, index
from tests.cli.conftest import CLI, Shell, said, stand_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Publisher


def words(shell: Shell, *typed: str) -> list[str]:
    environ = {"REUSE_SURFACE_URL": "http://127.0.0.1:9"} | shell.environ
    return shell.good("completion", "words", "--", *typed, **environ).out.split()


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ([], ["backup", "completion", "federation", "hub", "restore", "serve", "token", "version"]),
        (["h"], ["hub"]),
        (["hub", "re"], ["refresh", "register"]),
        (["hub", "list", "--st"], ["--state"]),
        (["hub", "list", "--state", "f"], ["failed", "fresh"]),
        (["hub", "register", "--enabled", ""], ["false", "true"]),
        (["hub", "list", "--domain", ""], []),
        (["hub", "list", "--base-url", ""], []),
        (["--base-url", "http://127.0.0.1:9", "h"], ["hub"]),
        (["--timeout", "3", "h"], ["hub"]),
        (["--v"], ["--version"]),
        (["hub", "search", "--t"], ["--tag", "--timeout"]),
        (["hub", "search", "--"], ["--base-url", "--domain", "--insecure-http", "--json", "--limit", "--owner",
                                   "--repo", "--status", "--tag", "--timeout"]),
        (["hub", "validate", ""], []),
        (["hub", "validate", "--m"], ["--manifest"]),
        (["hub", "federated", "--out", ""], []),
        (["--json", "hub", "re"], ["refresh", "register"]),
        (["version", ""], ["--json"]),
        (["token", "new", "--b"], []),
        (["hub", "list", "--state", "fresh", "--st"], []),
        (["completion", "b"], ["bash"]),
        (["dance", ""], []),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else "",
)
def test_what_may_follow(alone: Shell, typed: list[str], found: list[str]) -> None:
    assert words(alone, *typed) == found


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["hub", "show", "--repo", "st"], ["state-hub"]),
        (["hub", "show", "st"], ["state-hub"]),
        (["hub", "list", "--domain", ""], ["helix_forge", "railiance"]),
        (["hub", "search", "--tag", ""], ["example"]),
        (["hub", "search", "--status", "ac"], ["active"]),
    ],
    ids=" ".join,
)
def test_values_come_from_the_hub(
    federation: Shell, publisher: Publisher, typed: list[str], found: list[str]
) -> None:
    publisher.pages["state-hub"] = index(capability(tags=["example"], status="active"))
    federation.good("hub", "refresh", "state-hub")

    assert words(federation, *typed) == found


def test_the_hub_that_is_typed_is_the_one_that_is_asked(federation: Shell) -> None:
    url = federation.environ.pop("REUSE_SURFACE_URL")

    assert words(federation, "--base-url", url, "hub", "show", "st") == ["state-hub"]


def test_nothing_that_a_shell_would_run_is_offered(alone: Shell) -> None:
    rows = [{"repo": one} for one in ("good", "$(touch bad)", "`bad`", "a b", "*", "-\n")]
    with stand_in(lambda one: said(one, json.dumps({"repos": rows}).encode())) as (url, _):
        alone.environ["REUSE_SURFACE_URL"] = url

        assert words(alone, "hub", "show", "--repo", "") == ["good"]


@pytest.fixture
def path(alone: Shell, tmp_path: Path) -> str:
    """A PATH on which the file is the command reuse-surface, installed as the README says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    command = folder / "reuse-surface"
    shutil.copyfile(CLI, command)
    command.chmod(0o755)
    (folder / "python3").symlink_to(sys.executable)
    return f"{folder}:{alone.environ.get('PATH', '/usr/bin:/bin')}"


IN_THE_SHELL = {
    "bash": ["-c", """eval "$(reuse-surface completion bash)"; COMP_WORDS=(reuse-surface hub re); COMP_CWORD=2
                      _reuse_surface; printf '%s\\n' "${COMPREPLY[@]}" """],
    "zsh": ["-f", "-c", """autoload -U compinit; compinit -u; eval "$(reuse-surface completion zsh)"
                            compadd() { print -l "${(@P)2}" }; words=(reuse-surface hub re); CURRENT=3
                            _reuse_surface"""],
    "fish": ["--no-config", "-c", "reuse-surface completion fish | source; complete -C 'reuse-surface hub re'"],
}  # fmt: skip


@pytest.mark.parametrize("shell", IN_THE_SHELL)
def test_the_shell_itself_completes(alone: Shell, path: str, tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed: scripts/install-shells brings it")

    ran = subprocess.run(
        [program, *IN_THE_SHELL[shell]], env={"PATH": path, "HOME": str(tmp_path)}, cwd=alone.folder,
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.stdout.split() == ["refresh", "register"], ran


def test_a_script_is_a_json_document_when_asked_for(alone: Shell) -> None:
    assert "_reuse_surface" in alone.good("completion", "bash", "--json").json["script"]
