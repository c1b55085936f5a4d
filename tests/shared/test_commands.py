from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shared import commands
from tests.builders import register, served

if TYPE_CHECKING:
    from shared.settings import Settings

STARTER = str(Path(commands.__file__).parent / "server" / "cli.py")


@pytest.mark.parametrize(
    ("words", "name", "again"),
    [
        (["python3", "-I", "cli.py", "serve", "--port", "1"], "__main__",
         [[sys.executable, "-I", STARTER, "serve", "--port", "1"]]),
        (["python3", "-m", "cli", "serve", "--port", "1"], "__main__", []),
        (["python3", "cli.py", "serve", "--port", "1"], "cli", []),
    ],
    ids=["as a file", "as a module", "imported by the file that it began again with"],
)  # fmt: skip
def test_serve_begins_again_with_the_compiled_file(
    monkeypatch: pytest.MonkeyPatch, words: list[str], name: str, again: list[list[str]]
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(sys, "orig_argv", words)
    monkeypatch.setattr(sys, "argv", ["cli.py", "serve", "--port", "1"])
    monkeypatch.setattr(os, "execv", lambda _, argv: begun.append(argv))

    commands.run_compiled(name)

    assert begun == again


LOADING = """\
import logging
from shared import commands

def load_app():
    logging.getLogger("hub").warning("the app is loaded")
    raise commands.StartError("no further")

try:
    commands.serve(load_app, "127.0.0.1", 0, None)
except commands.REFUSALS as fault:
    print(fault)
"""


def test_the_log_has_its_form_before_the_app_is_loaded() -> None:
    root = Path(commands.__file__).parent.parent
    environ = {**os.environ, "REUSE_SURFACE_LOG": "json"}
    ran = subprocess.run(
        [sys.executable, "-c", LOADING], cwd=root, env=environ, capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stdout) == (0, "no further\n")
    assert json.loads(ran.stderr)["message"] == "the app is loaded"


async def test_what_was_backed_up_comes_back(settings: Settings, tmp_path: Path) -> None:
    async with served(settings) as client:
        made = await register(client)

    content = commands.back_up(str(settings.data_dir))
    restored = commands.restore(content, str(tmp_path / "fresh"))

    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert restored["files"] == len(tar.getnames()) - 2  # the first and the last tell of the others
    assert restored["registrations"] == 1
    async with served(replace(settings, data_dir=tmp_path / "fresh")) as client:
        assert (await client.get("/v1/repos/state-hub")).json()["url"] == made["url"]


def test_what_is_refused_is_among_the_refusals(tmp_path: Path) -> None:
    with pytest.raises(commands.REFUSALS, match="can't be read"):
        commands.compose(str(tmp_path / "none.yaml"), str(tmp_path), offline=True, form="json")
