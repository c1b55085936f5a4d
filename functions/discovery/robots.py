"""GET /robots.txt: crawlers are welcome, and the Agentmap line leads agents to the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.web.answers import CACHED, answer

if TYPE_CHECKING:
    from shared.web import Hub, Request, Response


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer the text."""
    allowed = f"{hub.settings.public_path}/"
    text = f"User-agent: *\nAllow: {allowed}\n\nAgentmap: {hub.settings.public}/.well-known/ard.json\n"

    return answer(text.encode(), "text/plain", headers=CACHED)
