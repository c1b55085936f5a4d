"""Agentic Resource Discovery (ARD): documents and names by which other systems find the hub and its capabilities."""

from __future__ import annotations

from shared.discovery.catalogs import AI_CATALOG, Catalogs
from shared.discovery.naming import Naming

__all__ = ["AI_CATALOG", "Catalogs", "Naming", "links"]


def links(public_path: str) -> str:
    """Return the value of ``Link`` (RFC 8288) with both discovery documents of a hub under *public_path*."""
    documents = {"ard": "ard.json", "ai-catalog": "ai-catalog.json"}
    return ", ".join(f'<{public_path}/.well-known/{name}>; rel="{rel}"' for rel, name in documents.items())
