"""GET /v1/repos/{repo}/history: who changed what, newest first; also after the repo was deregistered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.parameters import Readers, cursor, whole
from shared.web.handling import Hub, Request, Response, json_answer, page, read_query

if TYPE_CHECKING:
    from shared.model.history import Change

_NEWEST = 10**12

QUERY: Readers = {"limit": whole(1, 50).otherwise(default=50), "cursor": cursor}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of changes."""
    query = read_query(request, **QUERY)

    changes = await hub.store.history(request.path_params["repo"])

    body, headers = page(request, query, "history", changes, _age)
    body["history"] = [change.as_json() for change in body["history"]]
    del body["total"]
    return json_answer(body, headers=headers)


def _age(change: Change) -> str:
    """Return a sort key that is greater for an older line, by the number that lines get when they are written."""
    return f"{_NEWEST - change.number:012}"
