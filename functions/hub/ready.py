"""GET /ready: whether the hub can serve the federated index and look after its sources; one line per check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import json_answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer 200 when every check is ok (or off), else 503."""
    checks = hub.checks()

    ready = set(checks.values()) <= {"ok", "off"}

    return json_answer({"ready": ready, "checks": checks}, 200 if ready else 503)
