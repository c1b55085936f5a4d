"""GET /llms.txt: one page that tells an agent what this is, how to use it, and what not to trust.

The page is the file beside this module, in which {hub} stands for the address of the hub.
"""

from __future__ import annotations

from pathlib import Path

from shared.web.handling import CACHED, Hub, Request, Response, answer

_PAGE = Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer the page, in Markdown."""
    page = _PAGE.replace("{hub}", hub.settings.public)

    return answer(page.encode(), "text/plain; charset=utf-8", headers=CACHED)
