"""What an index says, in canonical form: entries encoded once, a digest, nothing else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from shared.model.entry_url import entry_url, root_of
from shared.yaml_out import list_item

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """One capability as the federated index serves it: what the hub adds stands at the end."""

    id: str
    json: bytes

    @property
    def yaml(self) -> bytes:
        """The entry as an item of a YAML list."""
        return list_item(orjson.loads(self.json))

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


# No string holds these: within strings every quote has a backslash before it.
_ADDED = (b',"entry_url":', b',"source_repo":')


def _bare(encoded: bytes) -> bytes:
    """Return an entry without what the hub added."""
    for name in _ADDED:
        encoded = encoded.partition(name)[0]
    return encoded


def content_of(
    index: dict[str, Any], repo: str, url: str = "", places: Mapping[str, str] | None = None
) -> Content:
    """Return the canonical content of a checked *index* as *repo* publishes it at *url*.

    *places* are the URLs of the entries' documents by id, where those were made out before: an entry without one there
    has none, whatever its path is.
    """
    in_order = sorted(index["capabilities"], key=lambda entry: str(entry["id"]))
    domain, base_url = index.get("domain"), index.get("base_url")
    root = root_of(url, base_url)
    if places is None:
        entries = tuple(_placed(_ordered(one), repo, root) for one in in_order)
    else:
        entries = tuple(_encoded(_ordered(one), repo, places.get(one["id"])) for one in in_order)
    head = orjson.dumps([repo, domain, base_url])
    digest = hashlib.sha256(b"\n".join([head, *(_bare(entry.json) for entry in entries)])).hexdigest()
    return Content(f"sha256:{digest}", domain, base_url, entries)


def _ordered(entry: dict[str, Any]) -> dict[str, Any]:
    ordered = {name: entry[name] for name in _ORDER if name in entry}
    return ordered | dict(sorted(entry.items())) if len(ordered) < len(entry) else ordered


def _placed(entry: dict[str, Any], repo: str, root: str | None) -> Entry:
    return _encoded(entry, repo, entry_url(root, entry.get("path")))


def _encoded(entry: dict[str, Any], repo: str, place: str | None) -> Entry:
    added = {"source_repo": repo} if place is None else {"entry_url": place, "source_repo": repo}
    # Copied to its size: what orjson returns stays in the 4 KiB that it was written to, and this is kept for long.
    return Entry(entry["id"], bytes(memoryview(orjson.dumps(entry | added))))


def from_document(document: dict[str, Any], url: str = "") -> Content:
    """Return the content that Content.document wrote of an index read from *url*."""
    root = root_of(url, document["base_url"])
    entries = tuple(_again(one, root) for one in document["capabilities"])
    return Content(document["digest"], document["domain"], document["base_url"], entries)


def _again(entry: dict[str, Any], root: str | None) -> Entry:
    # Made anew: another version of the hub may have found the place by other rules.
    entry.pop("entry_url", None)
    return _placed(entry, entry.pop("source_repo"), root)
