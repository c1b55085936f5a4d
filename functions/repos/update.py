"""PATCH /v1/repos/{repo}: change some fields of a registration by a JSON merge patch (RFC 7396).

null resets an optional field to its default; repo never changes. If-Match is honoured.
"""

from __future__ import annotations

from shared.registration_fields import merged
from shared.web.handling import JSON, MERGE_PATCH, Hub, Request, Response, if_match, json_answer, read_json, read_query


async def handle(hub: Hub, request: Request) -> Response:
    """Answer 200 with the registration as it is now."""
    author = hub.auth.require_writer(request)
    read_query(request)
    repo = request.path_params["repo"]
    patch = await read_json(request, (MERGE_PATCH, JSON))

    _, after = await hub.registry.update(
        repo, lambda current: merged(current, patch, hub.guard), author, if_match(request)
    )

    return json_answer(after.as_json(), headers={"ETag": after.etag})
