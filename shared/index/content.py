"""What an index says, in canonical form: entries encoded once, a digest, nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from shared.yaml_out import list_item

_ORDER = (
    "id",
    "name",
    "summary",
    "vector",
    "domain",
    "status",
    "owner",
    "tags",
    "path",
    "url",
    "consumption_modes",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One capability as the federated index serves it: encoded with its ``source_repo`` at the end."""

    id: str
    json: bytes
    yaml: bytes

    def says_the_same(self, other: Entry) -> bool:
        """Tell whether *other* differs in nothing but who published it."""
        return _bare(self.json) == _bare(other.json)


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one repo's index: *entries* in the order of their ids, *digest* of all that is served."""

    digest: str
    domain: str | None
    base_url: str | None
    entries: tuple[Entry, ...]

    def document(self) -> bytes:
        """Return the index as it is kept on disk: JSON that from_document reads."""
        head = orjson.dumps({"digest": self.digest, "domain": self.domain, "base_url": self.base_url})
        return head[:-1] + b',"capabilities":[' + b",".join(entry.json for entry in self.entries) + b"]}"


def _bare(encoded: bytes) -> bytes:
    return encoded[: encoded.rindex(b',"source_repo":')]


def content_of(index: dict[str, Any], repo: str) -> Content:
    """Return the canonical content of a checked *index* as *repo* publishes it."""
    given = sorted(index["capabilities"], key=lambda entry: str(entry["id"]))
    domain, base_url = index.get("domain"), index.get("base_url")
    entries = tuple(_entry(one, repo) for one in given)
    head = orjson.dumps([repo, domain, base_url])
    digest = hashlib.sha256(b"\n".join([head, *(entry.json for entry in entries)])).hexdigest()
    return Content(f"sha256:{digest}", domain, base_url, entries)


def _entry(given: dict[str, Any], repo: str) -> Entry:
    ordered = {name: given[name] for name in _ORDER if name in given}
    ordered |= dict(sorted(given.items())) if len(ordered) < len(given) else {}
    ordered["source_repo"] = repo
    return _encoded(ordered)


def _encoded(ordered: dict[str, Any]) -> Entry:
    return Entry(ordered["id"], orjson.dumps(ordered), list_item(ordered))


def from_document(document: dict[str, Any]) -> Content:
    """Return the content that Content.document wrote."""
    entries = tuple(_encoded(one) for one in document["capabilities"])
    return Content(document["digest"], document["domain"], document["base_url"], entries)
