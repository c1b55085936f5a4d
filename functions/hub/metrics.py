"""GET /metrics: what the hub counts and measures, in the text format of Prometheus.

It tells nothing that the public API does not: numbers, routes, and the names of required repos.
"""

from __future__ import annotations

from shared.metrics import MEDIA_TYPE, exposition, families, look
from shared.web.handling import Hub, Request, Response, answer


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer the metrics."""
    findings, sources = await hub.findings.made(), list(hub.sources.all().values())
    missing, now = hub.federation.document.missing_required, hub.clock.monotonic()
    counts = await hub.reads.always("metrics", look, sources, findings, missing, now)
    text = await hub.reads.always("exposition", exposition, families(hub, counts), hub.engine.folder)
    return answer(text, MEDIA_TYPE)
