"""GET /v1/sources: the federation manifest, as JSON or YAML: what is registered, for those who keep it in a file."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import orjson

from shared import yaml_out
from shared.web.handling import JSON, UNCACHED, YAML, Hub, Request, Response, read_query, versioned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from shared.model.registration import Registration


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the manifest, its sources in the order of their names, or 304."""
    query = read_query(request, (JSON, YAML))

    registrations = await hub.store.registrations()
    # The store returns the same tuple until a write, so its id names its content while a read with it is in progress.
    key = ("manifest", query.media_type, id(registrations))
    body, etag = await hub.reads.once(key, _encoded, registrations, query.media_type)

    return versioned(request, etag, body, {**UNCACHED, "Vary": "Accept"}, query.media_type)


def _encoded(registrations: Sequence[Registration], media_type: str) -> tuple[bytes, str]:
    """Return the manifest in *media_type*, JSON or YAML, and its entity tag."""
    sources = [registration.client_fields().as_json() for registration in registrations]
    body = _yaml(sources) if media_type == YAML else orjson.dumps({"version": 1, "sources": sources})
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _yaml(sources: list[dict[str, Any]]) -> bytes:
    return yaml_out.field("version", 1) + b"".join(yaml_out.listing("sources", map(yaml_out.list_item, sources)))
