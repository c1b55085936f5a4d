"""POST /v1/repos: register a repository by the URL of its capability index.

The index need not answer yet; its first fetch is scheduled at once. With dry_run=true it is fetched and read now, and
the answer says what registering would come to; nothing is stored.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from shared.parameters import Readers, flag
from shared.registration_fields import read_fields
from shared.web.handling import Hub, Request, Response, json_answer, read_json, read_query

if TYPE_CHECKING:
    from shared.model.author import Author
    from shared.model.registration import RegistrationFields

QUERY: Readers = {"dry_run": flag.otherwise(default=False)}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer 201 with the registration, its Location and its ETag; a dry run 200 with the verdict."""
    author = hub.auth.require_writer(request)
    query = read_query(request, **QUERY)
    new = read_fields(await read_json(request), hub.guard)
    if query.get("dry_run"):
        # Encoded in a thread: the answer holds all that the index says, up to 5 MiB.
        return await asyncio.to_thread(json_answer, await _tried(hub, new, author))

    registration = await hub.registry.register(new, author)

    headers = {"Location": f"{hub.settings.public_path}/v1/repos/{registration.repo}", "ETag": registration.etag}
    return json_answer(registration.as_json(), 201, headers)


async def _tried(hub: Hub, new: RegistrationFields, author: Author) -> dict[str, Any]:
    refusal, verdict = await hub.registry.try_out(new, author)
    problem = {"type": refusal.slug, "status": refusal.status, "detail": refusal.detail} if refusal else None
    return {"registration": new.as_json(), "refusal": problem} | verdict
