"""Finding the entry that a URN of the hub's own namespace names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.discovery import entries
from shared.discovery.catalogs import pieces_of

if TYPE_CHECKING:
    from shared.discovery.naming import Naming
    from shared.federation import Edition


def lookup(naming: Naming, edition: Edition, urn: str) -> dict[str, Any] | None:
    """Return the entry with this identifier, or None: of a capability that is served, a repo's catalog, or the hub."""
    found = None
    kind, _, name = urn.removeprefix(naming.urn("")).partition(":")
    if kind == "capability":
        repo, _, entry_id = name.partition(":")
        claim = edition.claim(repo, entry_id)
        if claim and claim.winner == repo:
            found = entries.capability(naming, claim.part, claim.entry)
    elif kind == "catalog" and name in edition.by_repo:
        part = edition.by_repo[name]
        found = entries.catalog(naming, part, 1, len(pieces_of(naming, part)))
    elif kind == "registry":
        found = entries.registry(naming)
    return found if found and found["identifier"] == urn and entries.fault(found) is None else None
