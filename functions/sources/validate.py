"""POST /v1/validate: check an index, or with kind=manifest a federation manifest, before it is published.

The body is the document, YAML or JSON, at most 1 MiB. Open to everyone; nothing is stored.
"""

from __future__ import annotations

from shared.parameters import Readers, one_of, slug
from shared.validation import validate_index, validate_manifest
from shared.web.handling import Hub, Request, Response, json_answer, read_document, read_query

QUERY: Readers = {"kind": one_of("index", "manifest").otherwise(default="index"), "repo": slug}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the verdict: 200 whether the document is valid or not."""
    query = read_query(request, **QUERY)
    hub.limits.count_validation(request)
    body = await read_document(request)

    with hub.limits.validation(request):
        if query["kind"] == "manifest":
            verdict = await validate_manifest(hub.reader, body)
        else:
            verdict = await validate_index(hub.reader, body, query.get("repo", ""))

    return json_answer(verdict)
