"""Documents as data: bytes in YAML or JSON in, plain data or every fault with its place out."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from shared import characters, schemas, strict_json
from shared.formats import hints, yaml_events
from shared.problems import Offence, SourceNotAnIndex

# A character beyond U+FFFF as JSON escapes it, in two surrogates (RFC 8259 §7). libyaml refuses those, so where only
# places are wanted twelve other characters stand in for it, and columns stay as they are.
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


class Fault(NamedTuple):
    """One fault: line and column in the source text, JSON Pointer, what is wrong, perhaps what to do.

    Both count from 1, as characters.position does; without a byte order mark at the start.
    """

    line: int
    column: int
    pointer: str
    detail: str
    hint: str | None = None


class Parsed(NamedTuple):
    """A document: its *text*, without a byte order mark, and the *data* that it holds."""

    text: str
    data: Any


class DocumentFaulty(Exception):  # noqa: N818 - a verdict on a document, not a failure of ours
    """The document breaks the rules of what it is read as; *faults* lists how, at most 100 of them."""

    def __init__(self, faults: list[Fault]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        subject = f"{first.pointer} " if first.pointer else ""
        super().__init__(f"Line {first.line}, column {first.column}: {subject}{first.detail}{more}.")
        self.faults = faults


def read_data(body: bytes) -> Parsed:
    """Return what the document in *body*, YAML or JSON, holds; raise DocumentFaulty, or SourceNotAnIndex for markup."""
    text = _decode(body)
    return Parsed(text, _parse(text))


def _decode(body: bytes) -> str:
    try:
        text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as fault:
        start = fault.object[: fault.start].decode("utf-8")
        mark = characters.position(start, len(start))
        raise DocumentFaulty([Fault(*mark, "", "is not UTF-8", "Save the file as UTF-8.")]) from fault
    if text.lstrip()[:1] == "<":
        raise SourceNotAnIndex(
            "The source answered with markup. The hub sends no credentials: publish a raw URL that opens without "
            "signing in."
        )
    return text


def _parse(text: str) -> Any:  # noqa: ANN401 - data not yet checked
    """Read JSON where the text starts like it and is it, else YAML."""
    if text.lstrip()[:1] == "{":
        try:
            return strict_json.parse(text.encode(), characters.refused)
        except strict_json.NotJson:
            # YAML may begin with a brace too, as in {a: 1}, and gives a place in JSON that is broken.
            pass
        except strict_json.NotStrictJson as fault:
            raise DocumentFaulty([_placed_strictly(text, fault)]) from fault
    try:
        return yaml_events.parse(text)
    except yaml_events.NotPlainYaml as fault:
        mark = (fault.line, fault.column)
        raise DocumentFaulty([Fault(*mark, "", str(fault), hints.for_text(text, mark, fault.begun))]) from fault


def _placed_strictly(text: str, fault: strict_json.NotStrictJson) -> Fault:
    """Return the fault of a JSON document, placed by the YAML reader where the JSON reader gives no place."""
    if fault.line is not None and fault.column is not None:
        return Fault(fault.line, fault.column, "", str(fault))
    try:
        yaml_events.parse(_PAIR.sub("x" * 12, text))
    except yaml_events.NotPlainYaml as same:
        # What libyaml itself refuses, such as a long key, may be right in JSON.
        if same.__cause__ is None:
            return Fault(same.line, same.column, "", str(same))
    return Fault(1, 1, "", str(fault))


def placed(text: str, index: object, offences: list[Offence]) -> list[Fault]:
    """Say where each offence stands. JSON that YAML can't read has no places; then it is the first line."""
    try:
        places = yaml_events.locate(_PAIR.sub("x" * 12, text), [offence.pointer for offence in offences])
    except yaml_events.NotPlainYaml:
        places = [yaml_events.ValuePlace(1, 1)] * len(offences)
    faults = [
        Fault(place.line, place.column, *offence, _hint(index, offence, place.scalar))
        for place, offence in zip(places, offences, strict=True)
    ]
    return sorted(faults)


def _hint(index: object, offence: Offence, scalar: str | None) -> str | None:
    """Return what to do about an offence; of a field that is not known no value would be right."""
    if offence.detail == schemas.REQUIRED:
        return hints.for_missing(index, offence.pointer)
    return None if offence.detail.startswith(schemas.UNKNOWN) else hints.for_value(index, offence.pointer, scalar)
