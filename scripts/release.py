"""Check that a version can be released: everything that names one names the same.

    scripts/release.py VERSION [FOLDER]

Changes nothing. The last lines say what to type next.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
IMAGE = "gitea.coulomb.social/coulomb/reuse-surface"
# Where the version stands, and how.
NAMED = {
    "cli.py": r'^VERSION = "([^"]*)"',
    "shared/version.py": r'^VERSION = "([^"]*)"',
    "schemas/openapi.yaml": r"^  version: (\S+)",
    "k8s/base/kustomization.yaml": r"^    newTag: (\S+)",
    "docs/deploy/helm-values.example.yaml": r"^  tag: (\S+)",
    "docs/deploy/restore-pod.yaml": rf"image: {IMAGE}:(\S+)",
}


def faults(version: str, folder: Path) -> Iterator[str]:
    """Yield what speaks against releasing *version* from *folder*."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        yield f"{version!r} is no version: three numbers, such as 1.2.3"
        return
    for name, pattern in NAMED.items():
        found = re.findall(pattern, (folder / name).read_text(encoding="utf-8"), re.MULTILINE)
        if set(found) != {version}:
            yield f"{name}: says {', '.join(found) or 'nothing'}"
    changelog = (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    heads = re.findall(r"^## \[?([^\s\]]+)", changelog, re.MULTILINE)
    released = [head for head in heads if head != "Unreleased"]
    if released[:1] != [version]:
        yield f"CHANGELOG.md: its newest version is {released[0] if released else 'none'}"
    unreleased = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if unreleased and unreleased[1].strip():
        yield f"CHANGELOG.md: lines stand under Unreleased; move them under {version}"


def main(argv: list[str]) -> int:
    """Print the faults, or what comes next, and return the exit code."""
    version, folder = argv[0], Path(argv[1]) if len(argv) > 1 else ROOT
    found = list(faults(version, folder))
    for fault in found:
        print(fault)
    if found:
        print(f"{version} can't be released yet: {len(found)} faults")
        return 1
    print(f"{version} can be released as {IMAGE}:{version}:")
    print(f"  git tag -a v{version} -m 'Version {version}' && git push origin v{version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
