"""What a repository publishes: bytes from a URL in, canonical content or every fault with its place out."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from shared import schemas, strict_json
from shared.index import yaml_events
from shared.index.content import Content, content_of
from shared.problems import Offence, SourceNotAnIndex, SourceTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Content", "Fault", "IndexFaulty", "read_index"]

MAX_CAPABILITIES = 20_000


class Fault(NamedTuple):
    """One fault of an index: line and column (from 1) in the source text, JSON Pointer, and what is wrong."""

    line: int
    column: int
    pointer: str
    detail: str


class IndexFaulty(Exception):  # noqa: N818 - a verdict on a document, not a failure of ours
    """The index breaks the rules; *faults* lists how, at most 100 of them."""

    def __init__(self, faults: list[Fault]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        subject = f"{first.pointer} " if first.pointer else ""
        super().__init__(f"Line {first.line}, column {first.column}: {subject}{first.detail}{more}.")
        self.faults = faults


def read_index(body: bytes, repo: str, url: str = "") -> Content:
    """Return what the index in *body* (YAML or JSON, UTF-8) says, published by *repo* at *url*.

    Raise IndexFaulty with all faults, SourceNotAnIndex for a web page, or SourceTooLarge for too many capabilities.
    """
    text = _decode(body)
    index = _parse(text)
    if isinstance(index, dict) and len(_listed(index)) > MAX_CAPABILITIES:
        raise SourceTooLarge(f"The index has more than {MAX_CAPABILITIES:,} capabilities.")
    if offences := _check(index, repo):
        raise IndexFaulty(_placed(text, offences))
    return content_of(index, repo, url)


def _decode(body: bytes) -> str:
    try:
        text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as fault:
        line = body.count(b"\n", 0, fault.start) + 1
        raise IndexFaulty([Fault(line, 1, "", "is not UTF-8")]) from fault
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
            return strict_json.parse(text.encode(), strict_json.CONTROL)
        except strict_json.NotStrictJson as fault:
            if fault.line is None:
                raise IndexFaulty([Fault(1, 1, "", str(fault))]) from fault
    try:
        return yaml_events.parse(text)
    except yaml_events.NotPlainYaml as fault:
        raise IndexFaulty([Fault(fault.line, fault.column, "", str(fault))]) from fault


def _listed(index: dict[str, Any]) -> list[Any]:
    listed = index.get("capabilities")
    return listed if isinstance(listed, list) else []


@cache
def _checkers() -> tuple[Callable[[object], list[Offence]], Callable[[object], list[Offence]]]:
    """Return the checkers of the frame of an index and of one entry.

    Entry by entry the good ones stay fast, however many bad ones stand between them.
    """
    whole = schemas.schema("capability-index")
    frame = {**whole["properties"], "capabilities": {"type": "array"}}
    return (
        schemas.checker_of({**whole, "properties": frame}),
        schemas.checker("capability-index", "capability"),
    )


def _check(index: Any, repo: str) -> list[Offence]:  # noqa: ANN401 - data not yet checked
    check_frame, check_entry = _checkers()
    offences = check_frame(index)
    if not isinstance(index, dict):
        return offences
    if index.get("repo", repo) != repo:
        offences.append(Offence("/repo", f"must be {repo}, the name under which this URL is registered"))
    seen: set[str] = set()
    for place, entry in enumerate(_listed(index)):
        found = check_entry(entry) + _repeated(entry, seen)
        offences += [Offence(f"/capabilities/{place}{pointer}", detail) for pointer, detail in found]
        if len(offences) >= schemas.MAX_OFFENCES:
            break
    return offences[: schemas.MAX_OFFENCES]


def _repeated(entry: object, seen: set[str]) -> list[Offence]:
    entry_id = entry.get("id") if isinstance(entry, dict) else None
    if not isinstance(entry_id, str):
        return []
    if entry_id in seen:
        return [Offence("/id", "stands twice in this index")]
    seen.add(entry_id)
    return []


def _placed(text: str, offences: list[Offence]) -> list[Fault]:
    """Say where each offence stands. JSON that YAML can't read has no places; then it is the first line."""
    try:
        marks = yaml_events.locate(text, [offence.pointer for offence in offences])
    except yaml_events.NotPlainYaml:
        marks = [(1, 1)] * len(offences)
    faults = [Fault(*mark, *offence) for mark, offence in zip(marks, offences, strict=True)]
    return sorted(faults)
