"""What one source brings to a federated index: its own entries or, being a federated index, those of many repos."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from shared import schemas
from shared.compose import Part
from shared.formats.capability_index import read_index
from shared.formats.documents import Fault, IndexFaulty, read_data

if TYPE_CHECKING:
    from shared.model.content import Content, Entry
    from shared.registration import Registration
    from shared.sources.status import State

HUB = "hub"
"""The format of a source that publishes a federated index; every other publishes an index."""

_ADDED = ("entry_url", "source_repo")
_SIGNS = {"sources", "capabilities", "missing_required"}
_OTHER_SCHEME = re.compile(r"(?!https?://)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def parts_of(body: bytes, registration: Registration, state: State, changed_at: str, published: str) -> list[Part]:
    """Return the parts in *body*, which the source of *registration* published.

    *published* is the format that the manifest gives the source, ``index`` or ``hub``. Never what was sent decides it:
    whoever publishes one index would speak for every repo. Raise IndexFaulty, SourceNotAnIndex or SourceTooLarge for
    what is not of that format.
    """
    _, data = read_data(body)
    federated = isinstance(data, dict) and data.keys() >= _SIGNS
    if published == HUB and not federated:
        raise _faulty("", "is no federated index; for an index leave out format: hub in the manifest")
    if published != HUB and federated:
        raise _faulty(
            "", "is a federated index; if this source may speak for other repos, say format: hub in the manifest"
        )
    if federated:
        return list(_federated(data, registration, state).values())
    return [Part(registration, state, changed_at, read_index(body, registration.repo, registration.url))]


def _federated(data: dict[str, Any], registration: Registration, state: State) -> dict[str, Part]:
    if offences := schemas.checker("federated-index")(data):
        raise IndexFaulty([Fault(1, 1, *offence) for offence in offences])
    if registration.required and data["missing_required"]:
        raise _faulty("/missing_required", f"it is itself incomplete: {', '.join(data['missing_required'])}")
    if registration.required and not any(row["digest"] for row in data["sources"]):
        raise _faulty("/sources", "none of them has anything to serve, and the manifest requires this source")
    for number, row in enumerate(data["sources"]):
        # A path is what an index composed without a hub names its local sources by; it leads nowhere from here.
        if _OTHER_SCHEME.match(row["url"]):
            raise _faulty(f"/sources/{number}/url", "is neither a web address nor a path")
    entries: dict[str, list[dict[str, Any]]] = {row["repo"]: [] for row in data["sources"]}
    for number, entry in enumerate(data["capabilities"]):
        if entry["source_repo"] not in entries:
            raise _faulty(f"/capabilities/{number}/source_repo", "names none of the sources")
        entries[entry["source_repo"]].append(entry)
    return {row["repo"]: _part(row, entries[row["repo"]], registration, state) for row in data["sources"]}


def _faulty(pointer: str, detail: str) -> IndexFaulty:
    return IndexFaulty([Fault(1, 1, pointer, detail)])


def _part(row: dict[str, Any], entries: list[dict[str, Any]], registration: Registration, state: State) -> Part:
    inner = replace(registration, repo=row["repo"], url=row["url"], domain=row["domain"], required=False)
    seen: State = row["state"] if state == "fresh" else state
    content = _content(row, entries) if row["digest"] else None
    return Part(inner, seen, row["changed_at"], content)


def _content(row: dict[str, Any], entries: list[dict[str, Any]]) -> Content:
    """Return the entries of one repo, checked as those of its index would be; where each lies was known before."""
    bare = [{name: value for name, value in entry.items() if name not in _ADDED} for entry in entries]
    index = {"version": 1, "domain": row["domain"], "capabilities": bare}
    content = read_index(orjson.dumps(index), row["repo"])
    places = {entry["id"]: entry.get("entry_url") for entry in entries}
    return replace(content, entries=tuple(_placed(entry, places[entry.id]) for entry in content.entries))


def _placed(entry: Entry, place: object) -> Entry:
    if not str(place).startswith(("https://", "http://")):
        return entry
    said = orjson.loads(entry.json)
    repo = said.pop("source_repo")
    return replace(entry, json=orjson.dumps(said | {"entry_url": place, "source_repo": repo}))
