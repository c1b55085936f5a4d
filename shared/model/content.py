"""The content of an index in canonical form: entries encoded once, in order, and a digest of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from shared.model.capability import Entry, in_order
from shared.model.entry_url import entry_url, root_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Content:
    """The content of one repo's index: *entries* in the order of their ids, *digest* of all that is served."""

    digest: str
    domain: str | None
    base_url: str | None
    entries: tuple[Entry, ...]

    def document(self) -> bytes:
        """Return the JSON that is stored on disk, which ``from_document`` reads."""
        head = orjson.dumps({"digest": self.digest, "domain": self.domain, "base_url": self.base_url})
        return head[:-1] + b',"capabilities":[' + b",".join(entry.json for entry in self.entries) + b"]}"


def content_of(
    index: dict[str, Any], repo: str, url: str = "", places: Mapping[str, str] | None = None
) -> Content:
    """Return the canonical content of a checked *index* as *repo* publishes it at *url*.

    *places* are the URLs of the entries' documents by id, where those were made out before: an entry without one there
    has none, whatever its path is.
    """
    by_id = sorted(index["capabilities"], key=lambda entry: str(entry["id"]))
    domain, base_url = index.get("domain"), index.get("base_url")
    root = root_of(url, base_url)
    if places is None:
        entries = tuple(Entry.of(in_order(members), repo, entry_url(root, members.get("path"))) for members in by_id)
    else:
        entries = tuple(Entry.of(in_order(members), repo, places.get(members["id"])) for members in by_id)
    # Joined by newlines, which JSON escapes: no two lists of entries make the same bytes. ``bare`` leaves out what the
    # hub added, so the same index at another URL has the same digest.
    head = orjson.dumps([repo, domain, base_url])
    digest = hashlib.sha256(b"\n".join([head, *(entry.bare for entry in entries)])).hexdigest()
    return Content(f"sha256:{digest}", domain, base_url, entries)


def from_document(document: dict[str, Any], url: str = "") -> Content:
    """Return the content that Content.document wrote of an index read from *url*."""
    root = root_of(url, document["base_url"])
    entries = tuple(_again(members, root) for members in document["capabilities"])
    return Content(document["digest"], document["domain"], document["base_url"], entries)


def _again(members: dict[str, Any], root: str | None) -> Entry:
    # Made anew: another version of the hub may have found the place by other rules.
    members.pop("entry_url", None)
    return Entry.of(members, members.pop("source_repo"), entry_url(root, members.get("path")))
