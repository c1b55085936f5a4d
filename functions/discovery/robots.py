"""GET /robots.txt: crawlers are welcome, and the Agentmap line leads agents to the catalog."""

from __future__ import annotations

from shared.web.handling import CACHED, Hub, Request, Response, answer


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer the text."""
    allowed = f"{hub.settings.public_path}/"
    text = f"User-agent: *\nAllow: {allowed}\n\nAgentmap: {hub.settings.public}/.well-known/ard.json\n"

    return answer(text.encode(), "text/plain", headers=CACHED)
