"""What the installers say where they can't install: what to install instead, or as whom to run them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
INSTALLERS = {
    "install-browser": "Chromium",
    "install-client-tools": "Node (18 or newer)",
    "install-image-tools": "buildah, runc",
    "install-promtool": "promtool",
    "install-proxies": "nginx and Caddy",
    "install-shells": "zsh and fish",
}
AS_ROOT = ["install-browser", "install-client-tools", "install-image-tools", "install-shells"]


def run(folder: Path, name: str, **commands: str) -> subprocess.CompletedProcess[str]:
    """Run an installer in a project of its own, on a machine that has nothing but the simplest tools and *commands*."""
    shutil.copytree(SCRIPTS, folder / "scripts")
    (folder / "tests" / "clients").mkdir(parents=True)
    tools = folder / "bin"
    tools.mkdir()
    for one in ("sh", "dirname", "cat", "mkdir", "mktemp", "rm", "install"):
        (tools / one).symlink_to(shutil.which(one) or "/nowhere")
    for command, text in commands.items():
        (tools / command.replace("_", "-")).write_text(f"#!{tools}/sh\n{text}\n", encoding="utf-8")
        (tools / command.replace("_", "-")).chmod(0o755)
    environ = {"PATH": str(tools), "TMPDIR": str(folder)}
    argv = [str(tools / "sh"), str(folder / "scripts" / name)]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False)


def test_every_installer_is_tried() -> None:
    assert {path.name for path in SCRIPTS.glob("install-*")} == set(INSTALLERS)


@pytest.mark.parametrize("name", INSTALLERS)
def test_without_apt_it_says_what_to_install(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, name, id="echo 0")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{name}: there is no apt-get here. Install ")
    assert INSTALLERS[name] in done.stderr
    assert not (tmp_path / ".tools").exists()


@pytest.mark.parametrize("name", AS_ROOT)
def test_without_sudo_it_says_that_it_needs_root(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, name, id="echo 1000", apt_get="exit 9")

    assert (done.returncode, done.stderr) == (1, f"{name}: this needs root, and sudo is not here. Run it as root.\n")


@pytest.mark.parametrize("name", ["install-promtool", "install-proxies"])
def test_what_apt_says_about_a_failed_download_is_shown(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, name, id="echo 1000", apt_get="echo 'E: Unable to locate package' >&2; exit 100")

    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first == "E: Unable to locate package"
    assert second == f"{name}: the packages could not be downloaded. Has apt-get update been run, as root?"
