"""What people type into the fields of a page."""

from __future__ import annotations

from shared.characters import refused
from shared.parameters import MOST_TEXT


def typed(text: str) -> str:
    """Read what a person typed: its first 200 characters, without blanks around it.

    Characters that nobody sees come along when text is copied; those that the API refuses are taken out.
    """
    text = text.strip()[:MOST_TEXT]
    while refusal := refused(text):
        text = text[: refusal.offset] + text[refusal.offset + len(refusal.letters) :]
    return text.strip()
