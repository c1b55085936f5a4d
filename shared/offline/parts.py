"""What one source brings to a federated index: its own entries or, being a federated index, those of many repos."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from shared import schemas
from shared.compose import Part
from shared.index import Fault, IndexFaulty, read_data, read_index

if TYPE_CHECKING:
    from shared.index import Content
    from shared.index.content import Entry
    from shared.registration import Registration
    from shared.sources.status import State

_ADDED = ("entry_url", "source_repo")


def parts_of(body: bytes, registration: Registration, state: State, changed_at: str) -> list[Part]:
    """Return the parts in *body*, as the source of *registration* published it.

    Raise IndexFaulty, SourceNotAnIndex or SourceTooLarge for what is neither an index nor a federated index.
    """
    _, data = read_data(body)
    if isinstance(data, dict) and {"sources", "capabilities", "missing_required"} <= data.keys():
        return list(_federated(data, registration, state).values())
    return [Part(registration, state, changed_at, read_index(body, registration.repo, registration.url))]


def _federated(data: dict[str, Any], registration: Registration, state: State) -> dict[str, Part]:
    if offences := schemas.checker("federated-index")(data):
        raise IndexFaulty([Fault(1, 1, *offence) for offence in offences])
    if registration.required and data["missing_required"]:
        raise _faulty("/missing_required", f"it is itself incomplete: {', '.join(data['missing_required'])}")
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
