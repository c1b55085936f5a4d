"""DELETE /v1/repos/{repo}: deregister a repository; its name and URL are free at once.

If-Match is honoured. The answer comes when the federated index shows it.
"""

from __future__ import annotations

from shared.web.handling import OPEN, Hub, Request, Response, if_match, leave_body, read_query


async def handle(hub: Hub, request: Request) -> Response:
    """Answer 204."""
    author = hub.auth.require_writer(request)
    read_query(request)
    leave_body(request)

    await hub.registry.deregister(request.path_params["repo"], author, if_match(request))

    return Response(status_code=204, headers=OPEN)
