"""GET /v1/repos/{repo}/badge.svg: the state of a source as a small picture, for the README of its repository."""

from __future__ import annotations

from shared.pages.badge import badge
from shared.web.handling import BROWSED, Hub, Request, Response, read_query, versioned

SVG = "image/svg+xml"


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the badge, or 304."""
    read_query(request, (SVG,))
    registration = await hub.store.get(request.path_params["repo"])

    state = hub.sources.status(registration.repo).state
    body, etag = badge(state, hub.federation.edition.standing(registration.repo))

    return versioned(request, etag, body, {**BROWSED, "Cache-Control": "public, max-age=60"}, SVG)
