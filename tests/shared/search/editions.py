"""Editions made of parts by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.federation.document import DocumentEncoder, substance
from shared.federation.edition import Edition
from shared.model.compose import compose

if TYPE_CHECKING:
    from shared.model.compose import Part


def edition(*parts: Part, serial: int = 1) -> Edition:
    """Return the edition that *parts* make."""
    composition = compose(parts)
    document = DocumentEncoder().document(composition, substance(composition), serial, "2026-11-23T10:00:00Z")
    return Edition(document, composition, list(parts))
