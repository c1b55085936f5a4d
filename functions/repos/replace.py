"""PUT /v1/repos/{repo}: register a repository under this name, or replace its registration.

Idempotent: a body that equals the registration changes nothing, not even updated_at. If-Match is honoured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import json_answer
from shared.body import read_json
from shared.problems import InvalidRegistration, Offence
from shared.query import read_query
from shared.registration import wanted

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, request: Request) -> Response:
    """Answer 201 where the repo is new, else 200, with the registration."""
    author = hub.auth.require_writer(request)
    read_query(request)
    repo = request.path_params["repo"]
    new = wanted(_named(await read_json(request), repo), hub.guard)

    before, after = await hub.store.replace(new, author, request.headers.get("if-match"))
    if hub.sources.watch(after):
        await hub.federation.shown()

    headers = {"ETag": after.etag} | ({} if before else {"Location": f"/v1/repos/{repo}"})
    return json_answer(after.as_json(), 200 if before else 201, headers)


def _named(body: object, repo: str) -> object:
    if not isinstance(body, dict):
        return body
    if body.get("repo", repo) != repo:
        offence = Offence("/repo", f"must be {repo}, as in the path, or left out")
        raise InvalidRegistration("The body names another repo than the path.", errors=[offence])
    return body | {"repo": repo}
