"""GET /sources/{repo}: all there is to know about one source, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from shared.pages import asked_of, page
from shared.pages.summary import Row

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub

MOST_ENTRIES = 200


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the page."""
    asked_of(request)
    registration = await hub.store.get(request.path_params["repo"])

    row = Row(registration, hub.sources.status(registration.repo))
    changes = await hub.store.history(registration.repo)
    content = next((part.content for part in hub.sources.parts() if part.repo == registration.repo), None)
    entries = content.entries if content else ()

    return await page(
        hub,
        request,
        "source.html",
        row=row,
        changes=changes,
        entries=[orjson.loads(entry.json) for entry in entries[:MOST_ENTRIES]],
        more=max(0, len(entries) - MOST_ENTRIES),
    )
