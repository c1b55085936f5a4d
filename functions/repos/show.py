"""GET /v1/repos/{repo}: one registration with the state of its source.

The ETag is the revision of the registration and a digest of it. This resource never answers 304: the state of the
source moves on without a new revision.
"""

from __future__ import annotations

from shared.web.handling import Hub, Request, Response, json_answer, read_query


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the registration."""
    read_query(request)

    registration = await hub.store.get(request.path_params["repo"])

    status = hub.sources.status(registration.repo)
    body = registration.as_json() | {"source": hub.federation.edition.described(registration.repo, status)}
    return json_answer(body, headers={"ETag": registration.etag})
