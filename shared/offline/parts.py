"""The parts that one document adds to a federated index: one of its own or, of a federated index, one per repo."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from shared.formats import FORMATS, HUB, Publisher, recognised
from shared.formats.documents import DocumentFaulty, Fault
from shared.model.compose import Part

if TYPE_CHECKING:
    from shared.formats import Relayed
    from shared.model.registration import Registration
    from shared.model.status import State

_NOT_FEDERATED = "is no federated index; for an index leave out format: hub in the manifest"
_FEDERATED = "is a federated index; if this source may speak for other repos, say format: hub in the manifest"


def parts_of(body: bytes, registration: Registration, state: State, changed_at: str, format_name: str) -> list[Part]:
    """Return the parts in *body*, the document of the source of *registration*.

    *format_name*, a name of FORMATS, is stated by the manifest and never guessed from the document: the publisher of
    one index could else speak for every repo. Raise DocumentFaulty, SourceNotAnIndex or SourceTooLarge for a document
    that is not of that format.
    """
    source_format = FORMATS[format_name]
    parsed = source_format.parse(body)
    federated = recognised(parsed.data) is HUB
    if federated != (source_format is HUB):
        raise DocumentFaulty([Fault(1, 1, "", _FEDERATED if federated else _NOT_FEDERATED)])
    publisher = Publisher(registration.repo, registration.url, registration.required)
    reading = source_format.read(parsed, publisher)
    own = [Part(registration, state, changed_at, reading.content)] if reading.content else []
    return own + [_part(relayed, registration, state) for relayed in reading.relayed]


def _part(relayed: Relayed, registration: Registration, state: State) -> Part:
    """Return the part of a repo in the federated index of *registration*; its state is no better than that index's."""
    inner = replace(registration, repo=relayed.repo, url=relayed.url, domain=relayed.domain, required=False)
    part_state = cast("State", relayed.state) if state == "fresh" else state
    return Part(inner, part_state, relayed.changed_at, relayed.content)
