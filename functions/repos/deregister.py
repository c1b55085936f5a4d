"""DELETE /v1/repos/{repo}: deregister a repository; its name and URL are free at once.

If-Match is honoured. The answer comes when the federated index shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from shared.web.answers import OPEN, if_match
from shared.web.body import leave_body
from shared.web.query import read_query

if TYPE_CHECKING:
    from shared.web import Hub, Request


async def handle(hub: Hub, request: Request) -> Response:
    """Answer 204."""
    author = hub.auth.require_writer(request)
    read_query(request)
    leave_body(request)

    await hub.registry.deregister(request.path_params["repo"], author, if_match(request))

    return Response(status_code=204, headers=OPEN)
