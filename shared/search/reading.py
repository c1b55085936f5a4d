"""Reading a search from the text of a request, and cursors to and from its pages. Readers raise ValueError."""

from __future__ import annotations

import re

from shared.parameters import MOST_TEXT, ParameterReader, cursor, cursor_to, matching, short
from shared.search.facts import LETTERS, at_least
from shared.search.query import Position, words

_POSITION = re.compile(r"([0-9]{1,9})? ([a-z0-9][a-z0-9._-]{0,99}) ([a-z0-9._-]{1,200})")


def _terms(text: str) -> tuple[str, ...] | None:
    return tuple(dict.fromkeys(words(short(text)))) if text.strip() else None


terms: ParameterReader[tuple[str, ...] | None] = ParameterReader(_terms, {"type": "string", "maxLength": MOST_TEXT})
"""Reads the words to look for, each once, from at most 200 characters; blanks ask for none."""


def level(kind: str) -> ParameterReader[tuple[str, ...]]:
    """Return a reader of the least level of *kind*, which returns every value that reaches it."""
    letter = LETTERS[kind]
    reader = matching(f"{letter}?[0-9]", f"must be a level, such as {letter}3")
    return ParameterReader(lambda text: at_least(kind, int(reader(text)[-1])), reader.schema)


def parameter(kind: str) -> str:
    """Return the parameter that filters by *kind*: a level is asked for with its least."""
    return f"min_{kind}" if kind in LETTERS else kind


_names = matching(r"[^\s,]{1,100}(,[^\s,]{1,100}){0,49}", "must be at most 50 names of fields, separated by commas")
fields: ParameterReader[tuple[str, ...]] = ParameterReader(lambda text: tuple(_names(text).split(",")), _names.schema)
"""Reads at most 50 names of members of a capability, separated by commas."""


def position(text: str) -> Position:
    """Return the position in a cursor that ``position_cursor`` made, or raise ValueError for any other text."""
    match = _POSITION.fullmatch(cursor(text))
    if match is None:
        raise ValueError("must be the next of an earlier page, as it was given")
    return Position(int(match[1]) if match[1] else None, match[2], match[3])


def position_cursor(position: Position | None) -> str | None:
    """Return the cursor to *position*, None for None."""
    if position is None:
        return None
    count = "" if position.shown is None else position.shown
    return cursor_to(f"{count} {position.repo} {position.id}")
