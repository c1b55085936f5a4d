"""The federated index as bytes: encoded once per change, in every representation that a reader may ask for."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from shared import yaml_out
from shared.query import JSON, YAML

if TYPE_CHECKING:
    from shared.compose import Composition

_GZIP_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Encoded:
    """The bytes of one representation and its strong entity tag (RFC 9110 §8.8.3)."""

    body: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Document:
    """One federated index: what its head says, and its representations by media type and content coding."""

    serial: int
    generated_at: str
    complete: bool
    missing_required: tuple[str, ...]
    representations: dict[tuple[str, str], Encoded]


def substance(composition: Composition) -> str:
    """Return a digest of all that *composition* says: equal digests make no new serial."""
    digest = hashlib.sha256(orjson.dumps([composition.missing_required, composition.sources, composition.conflicts]))
    for entry in composition.entries:
        digest.update(entry.json)
    return digest.hexdigest()


def encode(composition: Composition, serial: int, generated_at: str) -> Document:
    """Return *composition* as the document with this serial and time."""
    head = {
        "version": 1,
        "serial": serial,
        "generated_at": generated_at,
        "complete": composition.complete,
        "missing_required": composition.missing_required,
    }
    representations: dict[tuple[str, str], Encoded] = {}
    for media_type, body in (
        (JSON, json_document(head, composition)),
        (YAML, yaml_document(head, composition)),
    ):
        tag = hashlib.sha256(body).hexdigest()[:32]
        representations[media_type, "identity"] = Encoded(body, f'"{tag}"')
        representations[media_type, "gzip"] = Encoded(gzip.compress(body, _GZIP_LEVEL, mtime=0), f'"{tag}-gzip"')
    missing = tuple(composition.missing_required)
    return Document(serial, generated_at, composition.complete, missing, representations)


def json_document(head: dict[str, object], composition: Composition) -> bytes:
    """Return the whole document as JSON, joined from entries that were encoded when they were fetched."""
    parts = [
        orjson.dumps(head)[:-1],
        b',"sources":' + orjson.dumps(composition.sources),
        b',"capabilities":[' + b",".join([entry.json for entry in composition.entries]) + b"]",
        b',"conflicts":' + orjson.dumps(composition.conflicts) + b"}",
    ]
    return b"".join(parts)


def yaml_document(head: dict[str, object], composition: Composition) -> bytes:
    """Return the whole document as YAML."""
    parts = [yaml_out.field(name, value) for name, value in head.items()]
    parts += yaml_out.listing("sources", map(yaml_out.list_item, composition.sources))
    parts += yaml_out.listing("capabilities", (entry.yaml for entry in composition.entries))
    parts += yaml_out.listing("conflicts", map(_conflict_item, composition.conflicts))
    return b"".join(parts)


def _conflict_item(conflict: dict[str, object]) -> bytes:
    # The one value that nests: JSON is YAML too, on one line.
    named = yaml_out.list_item({"id": conflict["id"], "repo": conflict["repo"]})
    return named + b'  "others": ' + orjson.dumps(conflict["others"]).replace(b":", b": ") + b"\n"
