"""The format ``hub``: a federated index, as a hub serves it or the client composes it, which speaks for many repos.

Each repo keeps its own name, what is said of its source, and the places of its entries' documents. All of it counts or
nothing: it was checked where it was composed, so a fault in it is one of whoever wrote it since.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from shared import schemas
from shared.formats.capability_index import INDEX, offences_of
from shared.formats.documents import DocumentFaulty, Parsed, placed, read_data
from shared.formats.protocol import Publisher, Reading, Relayed, SourceFormat
from shared.model.capability import Capability
from shared.model.content import content_of
from shared.problems import Offence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OTHER_SCHEME = re.compile(r"(?!https?://)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_POINTER = re.compile("/capabilities/([0-9]+)(.*)", re.DOTALL)

Numbered = list[tuple[int, dict[str, Any]]]
"""Entries, each with its number among all of the document."""


def read(parsed: Parsed, publisher: Publisher) -> Reading:
    """Return a Reading with one Relayed for each repo of the federated index in *parsed*, in its order.

    Raise DocumentFaulty with all faults, at most 100 of them, or SourceTooLarge for too many capabilities of one repo.
    Of a *required* publisher it must be complete and serve something.
    """
    # Three stages, each of which relies on the one before: the shape, then the names, then the entries of each source.
    data = parsed.data
    _refuse(parsed, schemas.checker("federated-index")(data))
    _refuse(parsed, chain(_of_the_whole(data, publisher), _of_sources(data)))
    entries: dict[str, Numbered] = {row["repo"]: [] for row in data["sources"]}
    for number, entry in enumerate(data["capabilities"]):
        entries[entry["source_repo"]].append((number, entry))
    served = ((number, row) for number, row in enumerate(data["sources"]) if row["digest"])
    _refuse(parsed, (offence for number, row in served for offence in _of_entries(row, number, entries[row["repo"]])))
    return Reading(None, tuple(_relayed(row, entries[row["repo"]]) for row in data["sources"]))


HUB = SourceFormat(
    name="hub",
    accept=INDEX.accept,
    signs=frozenset({"sources", "capabilities", "missing_required"}),
    parse=read_data,
    read=read,
)


def _refuse(parsed: Parsed, offences: Iterable[Offence]) -> None:
    """Raise DocumentFaulty where there are *offences*, with the first MAX_OFFENCES of them."""
    if first := [*islice(offences, schemas.MAX_OFFENCES)]:
        raise DocumentFaulty(placed(parsed.text, parsed.data, first))


def _of_the_whole(data: dict[str, Any], publisher: Publisher) -> Iterator[Offence]:
    """Yield why the document does not stand for a publisher that must bring something."""
    if publisher.required and data["missing_required"]:
        yield Offence("/missing_required", f"it is itself incomplete: {', '.join(data['missing_required'])}")
    if publisher.required and not any(row["digest"] for row in data["sources"]):
        yield Offence("/sources", "none of them has anything to serve, and this source is required")


def _of_sources(data: dict[str, Any]) -> Iterator[Offence]:
    """Yield what is wrong between the sources and the entries, which a schema can't say."""
    repos: set[str] = set()
    for number, row in enumerate(data["sources"]):
        # A path is what an index composed without a hub names its local sources by; it leads nowhere from here.
        if _OTHER_SCHEME.match(row["url"]):
            yield Offence(f"/sources/{number}/url", "is neither a web address nor a path")
        if row["repo"] in repos:
            yield Offence(f"/sources/{number}/repo", "stands twice in this federated index")
        repos.add(row["repo"])
    for number, entry in enumerate(data["capabilities"]):
        if entry["source_repo"] not in repos:
            yield Offence(f"/capabilities/{number}/source_repo", "names none of the sources")


def _of_entries(row: dict[str, Any], number: int, numbered: Numbered) -> Iterator[Offence]:
    """Yield what breaks the rules of a capability index in the entries of the source *row*, the one at *number*.

    The places are those in the whole document.
    """
    for pointer, detail in offences_of(_index(row, numbered), row["repo"]):
        entry = _POINTER.fullmatch(pointer)
        there = f"/capabilities/{numbered[int(entry[1])][0]}{entry[2]}" if entry else f"/sources/{number}{pointer}"
        yield Offence(there, detail)


def _index(row: dict[str, Any], numbered: Numbered) -> dict[str, Any]:
    """Return the capability index that the source *row* would publish to bring these entries."""
    published = [Capability(entry).published() for _, entry in numbered]
    return {"version": 1, "domain": row["domain"], "capabilities": published}


def _relayed(row: dict[str, Any], numbered: Numbered) -> Relayed:
    content = None
    if row["digest"]:
        places = {entry["id"]: Capability(entry).entry_url for _, entry in numbered}
        places = {name: place for name, place in places.items() if place.startswith(("https://", "http://"))}
        content = content_of(_index(row, numbered), row["repo"], places=places)
    return Relayed(row["repo"], row["url"], row["domain"], row["state"], row["changed_at"], content)
