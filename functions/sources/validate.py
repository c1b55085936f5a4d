"""POST /v1/validate: check an index, or with kind=manifest a federation manifest, before it is published.

The body is the document, YAML or JSON, at most 1 MiB. Open to everyone; nothing is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import json_answer
from shared.body import read_document
from shared.query import one_of, read_query, slug
from shared.validation import validate_index, validate_manifest

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the verdict: 200 whether the document is valid or not."""
    asked = read_query(request, kind=one_of("index", "manifest"), repo=slug)
    hub.limits.count_validation(request)
    body = await read_document(request)

    if asked.get("kind") == "manifest":
        verdict = await validate_manifest(hub.reader, body)
    else:
        verdict = await validate_index(hub.reader, body, asked.get("repo", ""))

    return json_answer(verdict)
