"""README.md, typed again: what it says that the demo prints is what the demo's commands print."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cli.test_tools_readme import PROMPT, alike, prepared, typed

if TYPE_CHECKING:
    from tests.cli.conftest import Publisher, Shell

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = "$ python3 cli.py "


def test_the_demo_prints_what_the_readme_shows(cli: Shell, publisher: Publisher) -> None:
    prepared(cli, publisher)
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    block = page.partition("A hub is up at")[2].partition("```")[0]
    steps = re.findall(r"^(\$ .*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)

    said = [typed(cli, publisher, line.replace(COMMAND, PROMPT)) for line, _ in steps]

    assert len(said) == 6
    assert [alike(one) for one in said] == [alike(shown) for _, shown in steps]


def test_what_its_commands_make_in_a_clone_is_no_change_for_git() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    made = re.findall(r"-m venv (\S+)|--data-dir (?:\./)?(\S+)|stored in `(\S+)/`", page)

    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()

    folders = {f"/{name}/" for names in made for name in names if name}
    assert folders == {"/.venv-hub/", "/data/", "/.demo/"}
    assert folders <= set(ignored)
