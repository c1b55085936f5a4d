"""POST /v1/repos: register a repository by the URL of its capability index.

The index need not answer yet; its first fetch is scheduled at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import json_answer
from shared.body import read_json
from shared.query import read_query
from shared.registration import wanted

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, request: Request) -> Response:
    """Answer 201 with the registration, where it lies and its ETag."""
    author = hub.auth.require_writer(request)
    read_query(request)
    new = wanted(await read_json(request), hub.guard)

    registration = await hub.store.add(new, author)
    hub.sources.watch(registration)

    headers = {"Location": f"/v1/repos/{registration.repo}", "ETag": registration.etag}
    return json_answer(registration.as_json(), 201, headers)
