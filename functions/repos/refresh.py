"""POST /v1/repos/{repo}/refresh: check the source now, whatever its schedule says.

The answer comes when the check is done and the federated index shows what it brought; a source that failed is a 200
with the outcome failed.
"""

from __future__ import annotations

from shared.web.handling import Hub, Request, Response, json_answer, leave_body, read_query


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the outcome and the state of the source."""
    author = hub.auth.require_writer(request)
    read_query(request)
    leave_body(request)

    outcome = await hub.registry.refresh(request.path_params["repo"], author)

    return json_answer(hub.federation.edition.outcome(outcome))
