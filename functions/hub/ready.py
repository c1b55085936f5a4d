"""GET /ready: whether the hub can serve the federated index and look after its sources; one line per check."""

from __future__ import annotations

from shared.web.handling import Hub, Request, Response, json_answer

WARNINGS = {"storage", "tokens_file"}


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer 200 when every check is ok (or off), else 503; a trouble of WARNINGS is told, and reading goes on."""
    checks = hub.checks()

    ready = all(verdict in {"ok", "off"} for name, verdict in checks.items() if name not in WARNINGS)

    return json_answer({"ready": ready, "checks": checks}, 200 if ready else 503)
