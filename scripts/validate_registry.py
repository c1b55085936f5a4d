"""Check what this repository publishes: its index, the entry behind each path, and its federation manifest.

    scripts/validate_registry.py [FOLDER]

Exit code 1 when anything is wrong; every fault is a line.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from shared import schemas  # noqa: E402 - found through the line above
from shared.formats.capability_index import read_index  # noqa: E402 - the same
from shared.formats.documents import DocumentFaulty  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Iterator

REPO = "reuse-surface"
INDEX = "registry/indexes/capabilities.yaml"
MANIFEST = "registry/federation/sources.yaml"
PUBLISHED = "https://gitea.coulomb.social/coulomb/{repo}/raw/main/" + INDEX


def faults(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the registry in *folder*."""
    content = (folder / INDEX).read_bytes()
    try:
        # The hub's own reader, so that what passes here is what the hub takes.
        read_index(content, REPO)
    except DocumentFaulty as fault:
        yield f"{INDEX}: {fault}"
        return
    entries = yaml.safe_load(content)["capabilities"]
    for entry in entries:
        yield from _faults_of_entry(folder, entry)
    known = {entry["path"] for entry in entries}
    written = {str(path.relative_to(folder)) for path in (folder / "registry/capabilities").glob("*.md")}
    yield from (f"{path}: no entry of the index names it" for path in sorted(written - known))
    yield from _faults_of_manifest(folder)


def _faults_of_entry(folder: Path, entry: dict[str, str]) -> Iterator[str]:
    path = folder / entry["path"]
    if not path.is_file():
        yield f"{INDEX}: {entry['id']} names {entry['path']}, which does not exist"
        return
    text = path.read_text(encoding="utf-8")
    missing = [key for key in ("id", "vector") if entry[key] not in text]
    yield from (f"{entry['path']}: does not say the {key} {entry[key]!r} of its entry" for key in missing)


def _faults_of_manifest(folder: Path) -> Iterator[str]:
    manifest = yaml.safe_load((folder / MANIFEST).read_bytes())
    offences = schemas.checker("federation")(manifest)
    if offences:
        yield from (f"{MANIFEST}: {one.pointer} {one.detail}" for one in offences)
        return
    names = [source["repo"] for source in manifest["sources"]]
    if len(names) != len(set(names)) or REPO not in names:
        yield f"{MANIFEST}: must name every repository once, {REPO} among them"
    for source in manifest["sources"]:
        if source.get("url") != PUBLISHED.format(repo=source["repo"]):
            yield f"{MANIFEST}: {source['repo']} has not the URL under which its index is published"


def main(argv: list[str]) -> int:
    """Print the faults and return the exit code."""
    folder = Path(argv[0]) if argv else ROOT
    found = list(faults(folder))
    for fault in found:
        print(fault)
    print(f"registry: {len(found)} faults" if found else "registry: in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
