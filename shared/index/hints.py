"""What to do about a fault, where that can be told from the value and its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_QUOTES = 'Put it in quotes, as in "{}".'
_LIST = "Write it as a list, as in [one, two]."
_BODIES = "Leave the text in a file of its own, and name that file as path."
_FIELDS = {
    "source_repo": "Leave it out: the hub adds it.",
    **dict.fromkeys(["body", "content", "markdown"], _BODIES),
    "version": "Write version: 1, without quotes.",
    "domain": "Use lower-case letters, digits, _ and -, as in helix_forge.",
    "path": "Write it relative to the repository, without .. and blanks, as in registry/capabilities/one.md.",
    "url": "Write an absolute http(s) URL, as in https://host/path.",
    "base_url": "Write an absolute http(s) URL, as in https://host/path/.",
}
_LISTS = {"capabilities", "tags", "consumption_modes"}
_ID = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_STARTS = "Put a text that starts so in quotes."
_CHARACTERS = {
    "\t": "Indent with blanks, not with tabs.",
    ":": "Put a text that holds a colon and a blank in quotes.",
    **dict.fromkeys("*&!@`%|>{}[]", _STARTS),
}


def for_value(index: object, pointer: str) -> str | None:
    """Return what to do about the value at *pointer* of *index*, which breaks a rule; None where it is plain."""
    field = pointer.rpartition("/")[2]
    there, value = _value(index, pointer)
    if not there:
        return None
    if field.startswith("_"):
        return "Choose a name without the underscore: such names are the hub's."
    if field == "id" and isinstance(value, str):
        return _for_id(value)
    if field in _LISTS and isinstance(value, str):
        return _LIST
    if isinstance(value, bool | int | float) and field not in {"version", *_LISTS}:
        return _QUOTES.format(str(value).lower())
    return _FIELDS.get(field)


def for_text(text: str, line: int, column: int) -> str | None:
    """Return what to do where *text* stops being YAML, by the character that stands there."""
    lines = text.split("\n", line)
    here = lines[line - 1] if line <= len(lines) else ""
    return _CHARACTERS.get(here[column - 1 : column])


def _for_id(value: str) -> str | None:
    if _ID.fullmatch(value):
        return "Give each entry an id of its own, at most 200 characters long."
    made = "-".join(re.findall(r"[a-z0-9]+(?:[._][a-z0-9]+)*", value.lower()))[:200]
    return f"Use lower-case letters and digits, parted by . _ or -, as in {made if _ID.fullmatch(made) else 'one.two'}."


def _value(index: object, pointer: str) -> tuple[bool, Any]:
    here: Any = index
    for step in _steps(pointer):
        if isinstance(here, list) and step.isdigit() and int(step) < len(here):
            here = here[int(step)]
        elif isinstance(here, dict) and step in here:
            here = here[step]
        else:
            return False, None
    return True, here


def _steps(pointer: str) -> Iterable[str]:
    return (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
