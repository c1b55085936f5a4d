"""GET /metrics: what the hub counts and measures, in the text format of Prometheus.

It tells nothing that the public API does not: numbers, routes, and the names of required repos.
"""

from __future__ import annotations

from shared.metrics import MEDIA_TYPE, exposition, families, look
from shared.web.handling import Hub, Request, Response, answer


async def handle(hub: Hub, _request: Request) -> Response:
    """Answer the metrics."""
    findings, missing = await hub.findings.current(), hub.federation.document.missing_required
    # Called in the thread: each of the two walks over all sources.
    views, lag = hub.sources.views, hub.sources.lag
    counts = await hub.reads.always("metrics", look, views, lag, findings, missing)
    text = await hub.reads.always("exposition", exposition, families(hub, counts), hub.engine.folder)
    return answer(text, MEDIA_TYPE)
