"""Federated indexes made by hand, as a hub serves them, for those who read them."""

from __future__ import annotations

import json
from typing import Any

from tests.builders import capability

NOW = "2026-11-23T10:00:00Z"


def row(repo: str, **changes: Any) -> dict[str, Any]:
    """Return what a federated index says of the source of *repo*."""
    facts = {"repo": repo, "url": f"https://git.example.org/{repo}", "domain": "railiance", "required": False}
    served = {"state": "fresh", "digest": f"sha256:{'0' * 64}", "capability_count": 1, "changed_at": NOW}
    return facts | served | changes


def federated(*capabilities: dict[str, Any], **changes: Any) -> bytes:
    """Return a federated index with *capabilities*, by default one of the one source ``inner``."""
    entries = list(capabilities) or [capability(source_repo="inner", entry_url="https://git.example.org/n1.md")]
    whole = {"version": 1, "serial": 3, "generated_at": NOW, "complete": True, "missing_required": []}
    whole |= {"sources": [row("inner")], "capabilities": entries, "conflicts": []}
    return json.dumps(whole | changes, indent=1).encode()
