"""Which characters a text may hold, where one stands, and whether anything of a text can be seen.

Names are what people and agents choose by. So what turns round the text that stands behind it (Unicode TR 36, section
3.2.5), and what only programs read, is refused like a control character. What some scripts can't be written without
stays: joiners, marks of direction, soft hyphens, spaces of no width, variation selectors; but no more than two of them
in a row, as more of them write nothing, and can hide a message.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# Halves of a character, which no UTF-8 can hold (RFC 8259 §8.2).
_SURROGATES = "\ud800-\udfff"
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_NO_CHARACTERS = "\ufdd0-\ufdef\ufffe\uffff"
# Overrides, embeddings and isolates; invisible operators, deprecated marks, byte order marks, notes between lines.
_HIDING_BELOW = f"\u202a-\u202e\u2066-\u2069\u2061-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb{_SURROGATES}"
# The same above U+FFFF: beams of music, tags, and what Unicode reserves for more of the kind.
_HIDING = f"{_HIDING_BELOW}\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
_UNSEEN_BELOW = "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060\u3164\ufe00-\ufe0f\uffa0"
_UNSEEN = f"{_UNSEEN_BELOW}\U0001bca0-\U0001bca3\U000e0100-\U000e01ef"

# One set with few ranges is searched many times as fast as what follows; nearly every text has nothing of it.
_SUSPECT = re.compile(
    f"[{_CONTROLS}{_NO_CHARACTERS}{_HIDING_BELOW}{_UNSEEN_BELOW}\U0001bca0-\U0001d17a\U000e0000-\U000e0fff]"
)
_CONTROL = re.compile(f"[{_CONTROLS}]")
_ANY = re.compile(f"[{_CONTROLS}{_NO_CHARACTERS}{_HIDING}]|[{_UNSEEN}]{{3}}")
_FOREIGN = re.compile(f"[{_HIDING}]|[{_UNSEEN}]{{3}}")
_SEEN = re.compile(f"[^\\s\u2800{_UNSEEN}{_HIDING}{_CONTROLS}]")
_BREAK = re.compile("\r\n?|\n")

# The tags in the three flags of Unicode's list of emoji that are written with them: England, Scotland, Wales.
_FLAG = re.compile(
    "\U0001f3f4(?:{})\U000e007f".format(
        "|".join("".join(chr(0xE0000 + ord(letter)) for letter in name) for name in ("gbeng", "gbsct", "gbwls"))
    )
)


class Refusal(NamedTuple):
    """Why a text is refused, as a clause without a full stop; what is refused, and how many characters stand before."""

    detail: str
    letters: str
    offset: int


def refused(text: str) -> Refusal | None:
    """Return the first character of *text* that no document may hold: a control, or what hides or turns text round."""
    return _first(_CONTROL if text.isascii() else _ANY, text)


def hiding(text: str) -> Refusal | None:
    """Return the first character of *text* that hides or turns round; controls and line breaks are let through."""
    return None if text.isascii() else _first(_FOREIGN, text)


def _first(pattern: re.Pattern[str], text: str) -> Refusal | None:
    suspect = _SUSPECT.search(text)
    if suspect is None:
        return None
    if "\U000e007f" in text:
        text = _FLAG.sub(lambda flag: "x" * len(flag[0]), text)
    found = pattern.search(text, suspect.start())
    if found is None:
        return None
    first = _named(found[0][0])
    if len(found[0]) > 1:
        detail = f"more than two characters in a row can't be seen, {first} and what follows it"
    else:
        detail = f"the character {first} is not allowed"
    return Refusal(detail, found[0], found.start())


def _named(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return f"U+{ord(letter):04X} ({name.lower()})" if name else f"U+{ord(letter):04X}"


def visible(text: str) -> bool:
    """Tell whether something of *text* can be seen: blanks, joiners and fillers can't."""
    return _SEEN.search(text) is not None


def shapeless(text: str) -> bool:
    """Tell whether *text* holds characters, not blanks alone, and still nothing of it can be seen."""
    return not text.isascii() and not text.isspace() and not visible(text)


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of the character at *offset*, from 1, as editors count them.

    A line ends at LF, CR LF, or CR alone (YAML 1.2, section 5.4); a column is a character, however wide it is shown.
    """
    line, start = 1, 0
    for found in _BREAK.finditer(text, 0, offset):
        line, start = line + 1, found.end()
    return line, offset - start + 1
