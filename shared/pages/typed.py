"""What people type into the fields of a page."""

from __future__ import annotations

from shared.query import MOST_TEXT


def typed(text: str) -> str:
    """Read what a person typed: its first 200 characters, without the spaces around it."""
    return text.strip()[:MOST_TEXT].rstrip()
