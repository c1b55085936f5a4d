"""GET /schemas/{name}: a schema of the contract, as JSON Schema draft-07, in JSON or YAML."""

from __future__ import annotations

import orjson

from shared import schemas
from shared.problems import NotFound
from shared.web.handling import JSON, UNCACHED, YAML, Hub, Request, Response, read_query, tag_of, versioned


async def handle(_hub: Hub, request: Request) -> Response:
    """Answer the schema."""
    query = read_query(request, (JSON, YAML))
    name = request.path_params["name"]
    if name not in schemas.NAMES:
        raise NotFound(f"There is no schema {name!r}; there are {', '.join(schemas.NAMES)}.")

    body = schemas.text(name).encode() if query.media_type == YAML else orjson.dumps(schemas.schema(name))
    return versioned(request, tag_of(body), body, {**UNCACHED, "Vary": "Accept"}, query.media_type)
