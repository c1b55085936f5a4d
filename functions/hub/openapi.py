"""GET /openapi.json: the contract as OpenAPI 3.1, with the schemas that the hub checks by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.answers import json_answer
from shared.contract import document
from shared.query import read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the document."""
    read_query(request)

    return json_answer(document(request.app.operations) | {"servers": [{"url": hub.settings.public}]})
