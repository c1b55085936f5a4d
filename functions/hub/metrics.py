"""GET /metrics: what the hub counts and measures, in the text format of Prometheus.

It tells nothing that the public API does not: numbers, routes, and the names of required repos.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import answer
from shared.metrics import MEDIA_TYPE, exposition, look

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer the metrics."""
    sources, findings = list(hub.sources.all().values()), await hub.findings.made()
    counts = await hub.reads.always("metrics", look, sources, findings, hub.clock.monotonic())
    return answer(exposition(hub, counts), MEDIA_TYPE)
