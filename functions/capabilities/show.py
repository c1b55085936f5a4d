"""GET /v1/capabilities/{repo}/{id}: one capability of one repo, as the repo publishes it.

Also one that is not in the federated index because another repo claimed its id first: served is false then, and
served_from names that repo. Keys of these names that a publisher wrote into the entry give way to the hub's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from shared.problems import CapabilityNotFound
from shared.web.handling import Hub, Request, Response, read_query, tag_of_body, versioned

if TYPE_CHECKING:
    from shared.federation.edition import Claim
    from shared.model.capability import Entry

_FEW_BYTES = 64 * 1024
"""An entry up to this size is answered at once; a thread for it would cost more than the answer."""


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the capability."""
    read_query(request)
    repo, entry_id = request.path_params["repo"], request.path_params["id"]

    edition = hub.federation.edition
    claim = edition.claim(repo, entry_id)
    if claim is None:
        await hub.store.get(repo)
        raise CapabilityNotFound(f"{repo} offers nothing under this id.")

    serial = edition.document.serial
    if len(claim.entry.json) <= _FEW_BYTES:
        return _answer(request, claim, serial)
    return await hub.reads.run(_answer, request, claim, serial)


def _answer(request: Request, claim: Claim, serial: int) -> Response:
    body = _body(claim.entry, {"served": claim.winner == claim.part.repo, "served_from": claim.winner})
    return versioned(request, tag_of_body(body), body, {"Reuse-Surface-Serial": str(serial)})


def _body(entry: Entry, standing: dict[str, object]) -> bytes:
    """Return *entry* as JSON with the members *standing* at its end, in place of its own members of these names."""
    # Within strings every quote has a backslash before it, so what looks like one of these names is one.
    if any(b'"%s":' % name.encode() in entry.json for name in standing):
        members = {name: value for name, value in entry.decoded().members.items() if name not in standing}
        return orjson.dumps(members | standing)
    # Not decoded: orjson holds the interpreter's lock, so that no other thread runs while it parses megabytes.
    return entry.json[:-1] + b"," + orjson.dumps(standing)[1:]
