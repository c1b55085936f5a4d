"""Which characters a text may have, the line and column of one, and whether any character of a text is visible.

People and agents choose by names. So characters that reorder the text behind them (Unicode TR 36, section 3.2.5), and
those that only programs read, are refused like control characters. Characters that some scripts need are allowed:
joiners, marks of direction, soft hyphens, spaces of no width, variation selectors; but at most two in a row, since more
write nothing, and can hide a message.
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

# One set with few ranges is searched many times as fast as the exact patterns, and nearly no text matches it.
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
    """Why a text is refused, as a clause without a full stop; the refused characters; how many stand before them."""

    detail: str
    letters: str
    offset: int


def refused(text: str) -> Refusal | None:
    """Return the first refusal in *text* by the rules for documents: no control, hiding or reordering character."""
    return _first(_CONTROL if text.isascii() else _ANY, text)


def hiding(text: str) -> Refusal | None:
    """Return the first hiding or reordering character of *text*; controls and line breaks are allowed."""
    return None if text.isascii() else _first(_FOREIGN, text)


def _first(pattern: re.Pattern[str], text: str) -> Refusal | None:
    suspect = _SUSPECT.search(text)
    if suspect is None:
        return None
    if "\U000e007f" in text:
        text = _FLAG.sub(lambda flag: "x" * len(flag[0]), text)
    match = pattern.search(text, suspect.start())
    if match is None:
        return None
    first = _named(match[0][0])
    if len(match[0]) > 1:
        detail = f"more than two characters in a row can't be seen, {first} and what follows it"
    else:
        detail = f"the character {first} is not allowed"
    return Refusal(detail, match[0], match.start())


def _named(letter: str) -> str:
    name = unicodedata.name(letter, "")
    return f"U+{ord(letter):04X} ({name.lower()})" if name else f"U+{ord(letter):04X}"


def visible(text: str) -> bool:
    """Tell whether *text* has a visible character: blanks, joiners and fillers are invisible."""
    return _SEEN.search(text) is not None


def shapeless(text: str) -> bool:
    """Tell whether *text* has characters other than blanks, and none of them is visible."""
    return not text.isascii() and not text.isspace() and not visible(text)


def position(text: str, offset: int) -> tuple[int, int]:
    """Return the line and the column of the character at *offset*, from 1, as editors count them.

    A line ends at LF, CR LF, or CR alone (YAML 1.2, section 5.4); a column is a character, however wide it is shown.
    """
    line, start = 1, 0
    for match in _BREAK.finditer(text, 0, offset):
        line, start = line + 1, match.end()
    return line, offset - start + 1
