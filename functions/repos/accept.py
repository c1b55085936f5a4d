"""POST /v1/repos/{repo}/accept: let in the content that the shrink guard holds.

Who accepted what stands in the history, and nothing else than that is let in. The body may name the digest of what the
caller saw. The answer comes when the federated index shows it.
"""

from __future__ import annotations

import re

from shared.problems import MalformedBody
from shared.web.handling import Hub, Request, Response, has_body, json_answer, leave_body, read_json, read_query

_DIGEST = re.compile("sha256:[0-9a-f]{64}")


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the outcome and the state of the source, as a refresh does."""
    author = hub.auth.require_writer(request)
    read_query(request)
    digest = await _digest_named(request)

    outcome = await hub.registry.accept(request.path_params["repo"], author, digest)

    return json_answer(hub.federation.edition.outcome(outcome))


async def _digest_named(request: Request) -> str | None:
    """Return ``digest`` of the body ``{"digest"}``, None without a body; raise MalformedBody for any other body."""
    if not has_body(request):
        leave_body(request)
        return None
    body = await read_json(request)
    digest = body.get("digest") if isinstance(body, dict) and body.keys() == {"digest"} else None
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise MalformedBody('The body must be left out, or be {"digest": "sha256:..."} with 64 hexadecimal digits.')
    return digest
