"""Validation of documents before they are published: verdicts with every fault and its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.formats import Publisher
from shared.formats.documents import DocumentFaulty, Fault
from shared.problems import SourceNotAnIndex, SourceProblem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.formats.reader import DocumentReader


async def validate_index(reader: DocumentReader, body: bytes, repo: str = "") -> dict[str, Any]:
    """Return ``{"valid", "capability_count", "errors"}`` for an index, which *repo* publishes where that is given."""
    try:
        content = (await reader.read(body, Publisher(repo))).own()
    except (DocumentFaulty, SourceProblem) as fault:
        return {"valid": False, "capability_count": 0, "errors": as_json(faults_of(fault))}
    return {"valid": True, "capability_count": len(content.entries), "errors": []}


async def validate_manifest(reader: DocumentReader, body: bytes) -> dict[str, Any]:
    """Return ``{"valid", "errors", "manifest"}`` for a federation manifest; *manifest* is None for an invalid one.

    Then ``sources`` has the entries that are valid by themselves, and ``refused`` the others.
    """
    try:
        sifted = await reader.sift_manifest(body)
    except (DocumentFaulty, SourceProblem) as fault:
        return {"valid": False, "errors": as_json(faults_of(fault)), "manifest": None, "sources": [], "refused": []}
    if sifted.manifest is not None:
        return {"valid": True, "errors": [], "manifest": sifted.manifest}
    errors = as_json(sifted.faults)
    return {"valid": False, "errors": errors, "manifest": None, "sources": sifted.sources, "refused": sifted.refused}


_MARKUP = Fault(1, 1, "", "is a web page or other markup: it begins with <", "Send the YAML or JSON file itself.")


def faults_of(fault: DocumentFaulty | SourceProblem) -> Iterable[Fault]:
    """Return all faults in *fault*; one of the document as a whole is at line 1, column 1.

    Markup is refused in other words here than in an answer of a source, since nothing was fetched.
    """
    if isinstance(fault, DocumentFaulty):
        return fault.faults
    if isinstance(fault, SourceNotAnIndex):
        return [_MARKUP]
    return fault.faults or (Fault(1, 1, "", fault.detail.rstrip("."), fault.remedy),)


def as_json(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    """Return *faults* as the objects of ``errors``, without the members that are None."""
    return [{name: value for name, value in fault._asdict().items() if value is not None} for fault in faults]
