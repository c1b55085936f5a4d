"""POST /v1/repos/{repo}/accept: let in the content that the shrink guard holds.

Who accepted what stands in the history. The answer comes when the federated index shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import json_answer
from shared.query import read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the outcome and the state of the source, as a refresh does."""
    author = hub.auth.require_writer(request)
    read_query(request)
    registration = await hub.store.get(request.path_params["repo"])
    author.must_own(registration, registration.registered_by)
    repo = registration.repo

    served, held = hub.sources.held(repo)
    # Written ahead: of an acceptance that a full disk stops there is a line, but none is without one.
    await hub.store.note(repo, "accept", author, served.facts(), held.facts())
    outcome = await hub.sources.accept(repo)
    await hub.shown()

    return json_answer(hub.federation.edition.outcome(outcome))
