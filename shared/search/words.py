"""The words of a text, the same for what is searched and for what is asked."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")


def words(text: str) -> list[str]:
    """Return the words of *text* in lower case without accents; whatever is no letter or digit parts them."""
    if not text.isascii():
        # Letters first lose their forms (ligatures, full width), then their marks: Zürich is found by zurich.
        decomposed = unicodedata.normalize("NFKD", text)
        text = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _WORD.findall(text.casefold())
