"""Hints on how to mend a fault of a document, made of the text and the value at its place; None for no hint."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.formats.yaml_events import Mark

_QUOTES = 'Put it in quotes, as in "{}".'
_LONGEST_NUMBER = 100
"""Characters of a number that a hint repeats: 1.000 may go on for millions of them."""
_LIST = "Write it as a list, as in [one, two]."
_BODIES = "Leave the text in a file of its own, and name that file as path."
_SWITCH = "Write true or false, without quotes."
_URL = "Write an absolute http(s) URL, as in https://host/path{}."
_FIELDS = {
    "source_repo": "Leave it out: the hub adds it.",
    "entry_url": "Leave it out: the hub makes it from path.",
    **dict.fromkeys(["body", "content", "markdown"], _BODIES),
    "version": "Write version: 1, without quotes.",
    "domain": "Use lower-case letters, digits, _ and -, as in helix_forge.",
    "path": "Write it relative to the repository, without .. and blanks, as in registry/capabilities/one.md.",
    "url": _URL.format(""),
    "base_url": _URL.format("/"),
    "enabled": _SWITCH,
    "required": _SWITCH,
    "cache_ttl_seconds": "Write a whole number of seconds from 0 to 604800, without quotes.",
}
_LISTS = {"capabilities", "sources", "tags", "consumption_modes"}
_NO_TEXT = {"version", "url", "base_url", "enabled", "required", "cache_ttl_seconds"}
_FIELDS_OF_TEXT = {"summary", "vector", "status", "owner", "updated", "description"}
_NULLS = {
    "capabilities": "Write capabilities: [] where there are none.",
    "sources": "Write sources: [] where there are none.",
    **dict.fromkeys(["tags", "consumption_modes"], "Leave it out, or write []."),
    **dict.fromkeys(_FIELDS_OF_TEXT, 'Leave it out, or write "".'),
    "id": "Write an id behind it, as in one.two.",
    "name": "Write the name behind it.",
    "version": "Write version: 1, without quotes.",
}
_REQUIRED_OF_SOURCES = re.compile(r"/sources/[0-9]+/(?:repo|domain|url)")
_ENTRY = re.compile(r"/(capabilities|sources)/[0-9]+")
_ENTRIES = {
    "capabilities": "Write each entry as a mapping, as in {id: one.two, name: One}.",
    "sources": "Write each source as a mapping, as in {repo: one, url: https://host/path, domain: two}.",
}
_OTHER_DOCUMENTS = {
    "capabilities": (
        "sources",
        "This looks like a federation manifest, which is checked with kind=manifest (--manifest).",
    ),
    "sources": (
        "capabilities",
        "This looks like a capability index, which is checked without kind=manifest (--manifest).",
    ),
}
"""For the field that a document lacks: the field by which it is of another kind, and how that kind is checked."""
_FIELDS_OF_ALL = {*_FIELDS, *_LISTS, *_NO_TEXT, *_FIELDS_OF_TEXT, "id", "name", "repo"}
_MOST_NAMES, _LONGEST_FIELD = 100, 40
_ID = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

_STARTS = "Put a text that starts so in quotes."
_CHARACTERS = {
    "\t": "Indent with blanks, not with tabs.",
    "&": "Leave the anchor out; put a text that starts with & in quotes.",
    "*": "Write out here what the alias stands for; put a text that starts with * in quotes.",
    "!": "Leave the tag out; put a text that starts with ! in quotes.",
    "<": "Write the fields of the other mapping out here.",
    **dict.fromkeys("@`%|>{}[]", _STARTS),
}
_COLON = "Put a text that holds a colon and a blank in quotes."
_ALIGN = "Align this key with those above it; put a text of several lines in quotes."
_CONFLICT = re.compile(r"^<{7} .*$", re.MULTILINE)
_POINTER = "version https://git-lfs.github.com/spec/"
# A key alone, perhaps in a list: the text before a colon that stands in the wrong place.
_KEY = re.compile(r"\s*(?:- +)*[\w.-]+")
_STARTS_KEY = re.compile(r"[\w.-]+:(?:\s|$)")
_TEXT_BEGINS = re.compile(r":\s+$")
# An anchor or alias without a name: a text that just begins with the sign.
_BARE_SIGN = re.compile(r"(?:^|\s)[*&]$")
# A key with no blank behind its colon, as in name:One, which YAML takes for a text; no URL.
_CLOSE_KEY = re.compile(r"\s*(?:- +)*[\w.-]+:(?!//)\S")


def for_value(index: object, pointer: str, scalar: str | None = None) -> str | None:
    """Return what to do about the value at *pointer* of *index*, which breaks a rule; None where it is plain.

    *scalar* is the plain scalar there as the text has it, so that no hint shows another value: 1.10 is read as 1.1.
    """
    field = pointer.rpartition("/")[2]
    there, value = _value(index, pointer)
    if not there:
        return None
    if not isinstance(value, dict | list) and (hint := _for_scalar(pointer, value)):
        return hint
    if field.startswith("_"):
        return "Choose a name without the underscore: such names are the hub's."
    if value is None:
        missing = _REQUIRED_OF_SOURCES.fullmatch(pointer)
        return "Write the value behind it." if missing else _NULLS.get(field, "Leave it out.")
    if field in _LISTS and not isinstance(value, dict | list):
        return _LIST
    return _for_text_field(field, value, scalar)


def for_missing(index: object, pointer: str) -> str | None:
    """Return what to do about the field at *pointer* that *index* lacks: another document, or another name for it."""
    parent, _, field = pointer.rpartition("/")
    there, holder = _value(index, parent) if parent else (True, index)
    names = [name for name in holder if isinstance(name, str)] if there and isinstance(holder, dict) else []
    other = _OTHER_DOCUMENTS.get(field)
    if not parent and other and other[0] in names:
        return other[1]
    misspelt = [name for name in names[:_MOST_NAMES] if len(name) <= _LONGEST_FIELD and name not in _FIELDS_OF_ALL]
    near = get_close_matches(field, misspelt, n=1, cutoff=0.66)
    return f"Write {field} in the place of {near[0]}." if near else None


def _for_scalar(pointer: str, value: object) -> str | None:
    """Return what to do about a scalar in the place of the document or of an entry."""
    if not pointer:
        if isinstance(value, str) and value.startswith(_POINTER):
            return "This is the pointer of a large file (Git LFS); publish the file itself."
        return "Begin with version: 1 on a line of its own."
    entry = _ENTRY.fullmatch(pointer)
    return _ENTRIES[entry[1]] if entry else None


def _for_text_field(field: str, value: object, scalar: str | None) -> str | None:
    number = isinstance(value, bool | int | float)
    text = (scalar or str(value).lower()) if number else value
    if number and field not in _NO_TEXT and len(str(text)) > _LONGEST_NUMBER:
        return "Put it in quotes."
    if field == "id" and isinstance(text, str) and not (number and _ID.fullmatch(text)):
        return _for_id(text)
    if number and field not in _NO_TEXT and not (field == "domain" and not _SLUG.fullmatch(str(text))):
        return _QUOTES.format(text)
    return _FIELDS.get(field)


def for_text(text: str, mark: Mark, begun: Mark | None = None) -> str | None:
    """Return what to do where *text* stops being YAML, at *mark*; *begun* is where the value starts that is broken."""
    if conflict := _CONFLICT.search(text):
        return f"Resolve the merge conflict that begins in line {_line_of(text, conflict.start())}."
    lines = re.split("\r\n?|\n", text)
    return (
        _for_unclosed(lines, mark, begun)
        or _for_sign(lines, mark)
        or _for_line(lines, mark)
        or _CHARACTERS.get(_at(lines, mark))
        or (_for_indent(lines, mark) if begun else None)
    )


def _line_of(text: str, offset: int) -> int:
    return len(re.findall("\r\n?|\n", text[:offset])) + 1


def _numbered(lines: list[str], line: int) -> str:
    return lines[line - 1] if 1 <= line <= len(lines) else ""


def _at(lines: list[str], mark: Mark) -> str:
    return _numbered(lines, mark[0])[mark[1] - 1 : mark[1]]


def _for_unclosed(lines: list[str], mark: Mark, begun: Mark | None) -> str | None:
    """Return what to do about a list, a mapping or a text in quotes that began before *mark* and does not end well."""
    opening = _at(lines, begun) if begun and begun != mark else ""
    place = f"line {begun[0]}, column {begun[1]}" if begun else ""
    if opening and opening in "[{":
        closing = {"[": "]", "{": "}"}[opening]
        return (
            f"Look at the {opening} of {place}: commas stand between its parts, {closing} at its end, and quotes "
            "around texts with a comma or a colon."
        )
    if opening and opening in "'\"":
        if _at(lines, mark) == "\\":
            return "Write \\\\ for a backslash in double quotes, or put the text in single quotes."
        return f"Close the quote that opens in {place}."
    return None


def _for_line(lines: list[str], mark: Mark) -> str | None:
    """Return what to do where the whole line tells: a directive, a second document, a colon."""
    line, column = mark
    here = _numbered(lines, line)
    if here.startswith("%"):
        first = all(above.startswith(("#", "%")) or not above.strip() for above in lines[: line - 1])
        return "Leave the directive out." if first else _STARTS
    if here.startswith("---") and column == 1:
        return "Leave out this line and what stands below it: an index is one document."
    if here[column - 1 : column] != ":":
        return None
    if not _KEY.fullmatch(here[: column - 1]):
        return _COLON
    if _CLOSE_KEY.match(_numbered(lines, line - 1)):
        return f"Write a blank behind the colon of line {line - 1}."
    return _ALIGN


def _for_sign(lines: list[str], mark: Mark) -> str | None:
    """Return what to do where a text behind a key is, or begins with, a sign that YAML takes for its own."""
    line, column = mark
    before, sign = _numbered(lines, line)[: column - 1], _at(lines, mark)
    if sign and sign in "-?" and _TEXT_BEGINS.search(before):
        return _STARTS
    return f"Put a text that starts with {before[-1]} in quotes." if _BARE_SIGN.search(before) else None


def _for_indent(lines: list[str], mark: Mark) -> str | None:
    """Return what to do where a line begins in a column that fits no line above it, or goes on behind a quote."""
    line, column = mark
    here = _numbered(lines, line)
    before = here[: column - 1]
    if before.rstrip().endswith(("'", '"')):
        return "A quote ends the text before this: put the whole text in quotes of the other kind."
    return _ALIGN if not before.strip() and _STARTS_KEY.match(here[column - 1 :]) else None


def _for_id(value: str) -> str | None:
    if _ID.fullmatch(value):
        return "Give each entry an id of its own, at most 200 characters long."
    slug = "-".join(re.findall(r"[a-z0-9]+(?:[._][a-z0-9]+)*", value.lower()))[:200]
    example = slug if _ID.fullmatch(slug) else "one.two"
    return f"Use lower-case letters and digits, separated by single . _ or -, as in {example}."


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
