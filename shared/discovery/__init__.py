"""How other systems find the hub and what it serves: documents and names of Agentic Resource Discovery (ARD)."""

from __future__ import annotations

from shared.discovery.catalogs import AI_CATALOG, Catalogs
from shared.discovery.naming import Naming

__all__ = ["AI_CATALOG", "Catalogs", "Naming", "links"]


def links(public_path: str) -> str:
    """Return the ``Link`` header (RFC 8288) that leads to the documents of a hub under *public_path* of its host."""
    documents = {"ard": "ard.json", "ai-catalog": "ai-catalog.json"}
    return ", ".join(f'<{public_path}/.well-known/{name}>; rel="{rel}"' for rel, name in documents.items())
