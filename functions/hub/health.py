"""GET /health: whether the process answers; touches neither disk nor network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.version import VERSION
from shared.web.answers import json_answer

if TYPE_CHECKING:
    from shared.web import Hub, Request, Response


async def handle(_hub: Hub, _request: Request) -> Response:
    """Answer 200."""
    return json_answer({"status": "ok", "version": VERSION})
