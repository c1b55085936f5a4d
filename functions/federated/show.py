"""GET /v1/federated: the federated index, as JSON or YAML.

Never waits for a source and never fails because one does. With strict=true an incomplete index is a 503.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from shared.answers import OPEN, not_modified
from shared.problems import FederationIncomplete
from shared.query import JSON, YAML, flag, read_query, weights

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.federation import Document
    from shared.hub import Hub

_CACHING = {
    "Cache-Control": "public, max-age=30, stale-if-error=86400",
    "Vary": "Accept, Accept-Encoding",
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the representation asked for, or 304."""
    asked = read_query(request, (JSON, YAML), strict=flag)

    document = hub.federation.document
    if asked.get("strict") and not document.complete:
        missing = ", ".join(document.missing_required)
        raise FederationIncomplete(f"Required sources with nothing to serve: {missing}.")

    coding = _coding(request)
    encoded = document.representations[asked.media_type, coding]
    headers = _headers(document) | {"ETag": encoded.etag}
    if not_modified(request, encoded.etag):
        return Response(status_code=304, headers=headers)
    if coding != "identity":
        headers["Content-Encoding"] = coding
    return Response(encoded.body, 200, headers, asked.media_type)


def _coding(request: Request) -> str:
    """Choose a content coding by ``Accept-Encoding`` (RFC 9110 §12.5.3)."""
    wishes = weights(request.headers.get("accept-encoding", ""))
    gzip = wishes.get("gzip", wishes.get("*", 0.0))
    return "gzip" if gzip > 0 and gzip >= wishes.get("identity", 0.0) else "identity"


def _headers(document: Document) -> dict[str, str]:
    return {
        **OPEN,
        **_CACHING,
        "Reuse-Surface-Serial": str(document.serial),
        "Reuse-Surface-Complete": str(document.complete).lower(),
    }
