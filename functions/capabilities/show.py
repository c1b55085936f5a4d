"""GET /v1/capabilities/{repo}/{id}: one capability of one repo, as the repo publishes it.

Also one that is not in the federated index because another repo claimed its id first: served is false then, and
served_from names that repo. Keys of these names that a publisher wrote into the entry give way to the hub's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from shared.answers import tag_of, versioned
from shared.problems import CapabilityNotFound
from shared.query import read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the capability."""
    read_query(request)
    repo, entry_id = request.path_params["repo"], request.path_params["id"]

    edition = hub.federation.edition
    claim = edition.claim(repo, entry_id)
    if claim is None:
        await hub.store.get(repo)
        raise CapabilityNotFound(f"{repo} offers nothing under this id.")

    standing = {"served": claim.winner == repo, "served_from": claim.winner}
    said = {name: value for name, value in orjson.loads(claim.entry.json).items() if name not in standing}
    body = orjson.dumps(said | standing)
    headers = {"Reuse-Surface-Serial": str(edition.document.serial)}
    return versioned(request, tag_of(body), body, headers)
