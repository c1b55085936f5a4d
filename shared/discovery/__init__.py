"""How other systems find the hub and what it serves: documents and names of Agentic Resource Discovery (ARD)."""

from __future__ import annotations

from shared.discovery.catalogs import AI_CATALOG, Catalogs
from shared.discovery.naming import Naming

__all__ = ["AI_CATALOG", "LINKS", "Catalogs", "Naming"]

LINKS = '</.well-known/ard.json>; rel="ard", </.well-known/ai-catalog.json>; rel="ai-catalog"'
"""The ``Link`` header by which a page leads to the documents."""
