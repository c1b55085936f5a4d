"""GET /health: whether the process answers; touches neither disk nor network."""

from __future__ import annotations

from shared.version import VERSION
from shared.web.handling import Hub, Request, Response, json_answer


async def handle(_hub: Hub, _request: Request) -> Response:
    """Answer 200."""
    return json_answer({"status": "ok", "version": VERSION})
