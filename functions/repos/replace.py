"""PUT /v1/repos/{repo}: register a repository under this name, or replace its registration.

Idempotent: a body that equals the registration changes nothing, not even updated_at. If-Match is honoured.
"""

from __future__ import annotations

from shared.registration_fields import read_fields
from shared.web.handling import Hub, Request, Response, if_match, json_answer, read_json, read_query


async def handle(hub: Hub, request: Request) -> Response:
    """Answer 201 where the repo is new, else 200, with the registration."""
    author = hub.auth.require_writer(request)
    read_query(request)
    repo = request.path_params["repo"]
    new = read_fields(await read_json(request), hub.guard, repo)

    before, after = await hub.registry.replace(new, author, if_match(request))

    headers = {"ETag": after.etag} | ({} if before else {"Location": f"{hub.settings.public_path}/v1/repos/{repo}"})
    return json_answer(after.as_json(), 200 if before else 201, headers)
