"""Entries of AI catalogs (ARD, section 4), checked by the strictest rules of all known readers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from shared import schemas
from shared.search.facts import LETTERS, domain_of, levels

if TYPE_CHECKING:
    from shared.discovery.naming import Naming
    from shared.model.capability import Capability, Entry
    from shared.model.compose import Part

AI_CATALOG = "application/ai-catalog+json"
AI_REGISTRY = "application/ai-registry+json"
# ARD takes two to five sample queries of an entry.
_QUERIES = range(2, 6)
_LONGEST_QUERY = 200
_SENTENCE = re.compile(r"(?<=[.!?])\s")
_TEXTS = {"type": "array", "items": {"type": "string"}}
_check = schemas.checker_of({
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "required": ["identifier", "displayName", "type", "url"],
    "properties": {
        "identifier": {
            "type": "string",
            "maxLength": 1000,
            "pattern": r"^urn:air:([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}(:[A-Za-z0-9._-]+)+$",
        },
        "displayName": {"type": "string", "pattern": r"\S"},
        "type": {"type": "string", "pattern": r"^[a-z]+/[A-Za-z0-9.+_-]+$"},
        "url": {"type": "string", "pattern": r"^https?://[^\s/?#][^\s]*$"},
        "data": {"not": {}},
        "description": {"type": "string"},
        "tags": _TEXTS,
        "capabilities": _TEXTS,
        "representativeQueries": {**_TEXTS, "minItems": _QUERIES.start, "maxItems": _QUERIES.stop - 1},
        "version": {"type": "string"},
        "updatedAt": {"type": "string", "pattern": r"^[0-9-]{10}T[0-9:]{8}Z$"},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
        "extensions": {"type": "object"},
    },
    "additionalProperties": False,
})


def fault(entry: dict[str, Any]) -> str | None:
    """Return why a reader would reject *entry*, or None where it is valid for all."""
    offences = _check(entry)
    if offences:
        return " ".join(offences[0])
    return None if _leads_somewhere(entry["url"]) else "/url can't be parsed"


def _leads_somewhere(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


def capability(naming: Naming, part: Part, entry: Entry) -> dict[str, Any]:
    """Return the catalog entry of *entry*, a capability of *part*, without members that would be empty."""
    decoded = entry.decoded()
    described = {
        "identifier": naming.identifier(part.repo, decoded),
        "displayName": decoded.name.strip(),
        "type": naming.media_type(decoded),
        "url": naming.address(part.repo, decoded),
        "description": decoded.summary,
        "tags": decoded.tags,
        "capabilities": [decoded.id],
        "representativeQueries": _queries(decoded),
        "version": decoded.text("version"),
        "updatedAt": part.changed_at,
        "metadata": _metadata(part, decoded),
        "extensions": {naming.extension: _source(part, decoded)},
    }
    return {name: value for name, value in described.items() if value}


def _queries(decoded: Capability) -> list[str] | None:
    """Return the publisher's own sample queries, else the name and the first sentence of the summary."""
    own = decoded.texts("representativeQueries")
    if own and len(own) in _QUERIES:
        return own
    sentence = _SENTENCE.split(decoded.summary.strip(), maxsplit=1)[0][:_LONGEST_QUERY]
    queries = list(dict.fromkeys([decoded.name.strip(), sentence.rstrip(".")]))
    return queries if all(queries) and len(queries) in _QUERIES else None


def _metadata(part: Part, decoded: Capability) -> dict[str, str]:
    stated = levels(decoded.vector)
    scalars = {
        "domain": domain_of(part, decoded),
        "source_repo": part.repo,
        "status": decoded.status,
        "owner": decoded.owner,
        **{kind: stated.get(kind) for kind in LETTERS},
    }
    return {name: value for name, value in scalars.items() if value}


def _source(part: Part, decoded: Capability) -> dict[str, Any]:
    source = {"source_repo": part.repo, "source_url": part.registration.url, "state": part.state}
    if place := decoded.entry_url:
        source["entry_url"] = place
    return source


def registry(naming: Naming) -> dict[str, Any]:
    """Return the entry of the hub's own search, an AI registry."""
    return {
        "identifier": naming.urn("registry", "federation"),
        "displayName": "Search over all registered capability indexes",
        "type": AI_REGISTRY,
        "url": f"{naming.public}/ard/",
        "description": "Finds reusable capabilities of many repositories by words, domain, tags and maturity.",
        "representativeQueries": ["find a reusable capability", "which repository offers what I need"],
    }


def catalog(naming: Naming, part: Part, number: int, count: int) -> dict[str, Any]:
    """Return the entry for piece *number* of *count*, from 1, of the catalog of the repo of *part*."""
    names = ["catalog", part.repo] + ([str(number)] if number > 1 else [])
    place = f"{naming.public}/v1/repos/{quote(part.repo)}/ai-catalog.json"
    entry: dict[str, Any] = {
        "identifier": naming.urn(*names),
        "displayName": part.repo + (f" ({number} of {count})" if count > 1 else ""),
        "type": AI_CATALOG,
        "url": f"{place}?part={number}" if number > 1 else place,
        "metadata": {"domain": part.registration.domain, "source_url": part.registration.url},
    }
    return entry | ({"updatedAt": part.changed_at} if part.changed_at else {})


def domain(naming: Naming, name: str, number: int, count: int) -> dict[str, Any]:
    """Return the entry for piece *number* of *count*, from 1, of the catalog of the domain *name*."""
    names = ["domain", name] + ([str(number)] if number > 1 else [])
    place = f"{naming.public}/ard/catalogs/{quote(name)}"
    return {
        "identifier": naming.urn(*names),
        "displayName": name + (f" ({number} of {count})" if count > 1 else ""),
        "type": AI_CATALOG,
        "url": f"{place}?part={number}" if number > 1 else place,
        "metadata": {"domain": name},
    }
