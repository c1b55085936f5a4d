"""tools/README.md, typed again: every command in it prints what is written there.

UPDATE_DOCS=1 writes what was printed into the page, for whoever changed a command.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import cli as client
from tests.builders import capability, index

if TYPE_CHECKING:
    from tests.cli.conftest import Publisher, Shell

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "tools" / "README.md"
PROMPT = "$ reuse-surface "
SHRUNK = "<!-- state-hub publishes one entry only -->"
BROKEN = "version: 1\ncapabilities:\n- id: Capability A\n  name: 7\n"
VARYING = {
    r"just now|in [0-9]+ (s|min|h|d)\b|\b[0-9]+ (s|min|h|d) ago": "AGE",
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z": "TIME",
    r"\b[0-9a-f]{64}\b": "DIGEST",
    r'(serial|"duration_ms":|duration_ms|"bytes":) +[0-9]+': r"\1 N",
    r" {2,}": "  ",
}


def alike(text: str) -> str:
    """Return *text* without what differs from run to run."""
    for pattern, name in VARYING.items():
        text = re.sub(pattern, name, text)
    return text.strip()


def written() -> list[tuple[str, str]]:
    """Return every line of the page that is a command, with what stands below it until the next; others with ''."""
    found: list[tuple[str, str]] = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found and found[-1][0].startswith(PROMPT) and not line.startswith((PROMPT, "```")):
            found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
        else:
            found.append((line, ""))
    return found


def typed(shell: Shell, publisher: Publisher, line: str) -> str:
    """Type a command of the page; the addresses of the page stand for those of this run."""
    hub = shell.environ["REUSE_SURFACE_URL"]
    argv = shlex.split(line.removeprefix(PROMPT).replace("http://127.0.0.1:8081", publisher.url))
    ran = shell(*argv, REUSE_SURFACE_ALLOW_NETWORKS="127.0.0.0/8")
    # Not even a token of no hub is written down.
    said = re.sub(r"hub_[\w-]{51}", "hub_...", ran.out) + ran.err
    return said.replace(publisher.url, "http://127.0.0.1:8081").replace(hub, "http://127.0.0.1:8080")


def prepared(shell: Shell, publisher: Publisher) -> None:
    """Publish what make demo publishes, and lie in the folder of a publisher."""
    for path in [ROOT / "registry", *(ROOT / "examples").glob("*/registry")]:
        file = path / "indexes" / "capabilities.yaml"
        publisher.pages[str(file.relative_to(ROOT))] = file.read_bytes()
    (shell.folder / "registry" / "indexes").mkdir(parents=True)
    shutil.copy(ROOT / "registry" / "indexes" / "capabilities.yaml", shell.folder / "registry" / "indexes")
    (shell.folder / "broken.yaml").write_text(BROKEN)


def test_every_command_prints_what_is_written(cli: Shell, publisher: Publisher) -> None:
    prepared(cli, publisher)
    page = written()
    printed = []
    for line, _ in page:
        if line == SHRUNK:
            publisher.pages["examples/state-hub/registry/indexes/capabilities.yaml"] = index(capability())
        printed.append((line, typed(cli, publisher, line) if line.startswith(PROMPT) else ""))
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text("".join(f"{line}\n{said}" for line, said in printed), encoding="utf-8")

    assert [(line, alike(said)) for line, said in printed] == [(line, alike(said)) for line, said in page]


def test_every_command_is_shown() -> None:
    shown = PAGE.read_text(encoding="utf-8")

    missing = [name for name in client.COMMANDS if not re.search(rf"(reuse-surface|cli\.py) {name}\b", shown)]
    assert missing == []
