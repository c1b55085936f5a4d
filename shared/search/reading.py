"""Reading a search from the text of a request, and cursors to and from its pages. Readers raise ValueError."""

from __future__ import annotations

import re

from shared.query import cursor, cursor_to, short
from shared.search.asked import Position
from shared.search.facts import LETTERS, at_least
from shared.search.words import words

_POSITION = re.compile(r"([0-9]{1,9})? ([a-z0-9][a-z0-9._-]{0,99}) ([a-z0-9._-]{1,200})")


def terms(text: str) -> tuple[str, ...] | None:
    """Read the words to look for, each once, from at most 200 characters; blanks ask for none."""
    return tuple(dict.fromkeys(words(short(text)))) if text.strip() else None


def level(kind: str, text: str) -> tuple[str, ...]:
    """Read the least level of *kind*; return every value that reaches it."""
    letter = LETTERS[kind]
    if not re.fullmatch(f"{letter}?[0-9]", text):
        raise ValueError(f"must be a level, such as {letter}3")
    return at_least(kind, int(text[-1]))


def fields(text: str) -> tuple[str, ...]:
    """Read names of fields."""
    if not re.fullmatch(r"[^\s,]{1,100}(,[^\s,]{1,100}){0,49}", text):
        raise ValueError("must be at most 50 names of fields, separated by commas")
    return tuple(text.split(","))


def position(text: str) -> Position:
    """Read the cursor that position_cursor made."""
    found = _POSITION.fullmatch(cursor(text))
    if found is None:
        raise ValueError("must be the next of an earlier page, as it was given")
    return Position(int(found[1]) if found[1] else None, found[2], found[3])


def position_cursor(position: Position | None) -> str | None:
    """Return the cursor to *position*, None for None."""
    if position is None:
        return None
    shown = "" if position.shown is None else position.shown
    return cursor_to(f"{shown} {position.repo} {position.id}")
