"""GET /v1/federated/changes: what changed since a serial, to bring a copy of the federated index up to date.

The copy applies every page, until next is null; then it is at serial. Where not all is known that happened since, the
answer is a 410, and the copy starts anew from /v1/federated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from shared.federation.feed import MOST_SERIAL, ChangePosition, page
from shared.parameters import Readers, whole
from shared.problems import BadQuery
from shared.web.handling import UNCACHED, Hub, Request, Response, next_page, read_query, unchanged, versioned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.federation import Document
    from shared.model.lines import ChangeLine

QUERY: Readers = {
    "since": whole(0, MOST_SERIAL).needed("the serial of the copy"),
    "limit": whole(1, 10_000).otherwise(default=1000),
    "cursor": ChangePosition.read,
}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer one page of what changed, or 304."""
    query = read_query(request, **QUERY)
    since, limit, after = query["since"], query["limit"], query.get("cursor")

    document = hub.federation.document
    lines = hub.federation.changes.since(since)
    if after is not None and not since <= after.serial <= document.serial:
        raise BadQuery("cursor must be the next of an earlier page since the same serial.")

    # The tag names the first serial in the lines: old lines are merged, and then begin earlier than *since*.
    first = lines[0].first if lines else since
    tag = f'"{document.tag}-{first}-{since}-{limit}-{after or ""}"'
    if copy := unchanged(request, tag, UNCACHED):
        return copy
    key = document.tag, first, since, limit, after
    body, following = await hub.reads.once(key, _encoded, document, since, lines, limit, after)
    link = {} if following is None else {"Link": f'<{next_page(request, following)}>; rel="next"'}
    return versioned(request, tag, body, UNCACHED | link)


def _encoded(
    document: Document, since: int, lines: Sequence[ChangeLine], limit: int, after: ChangePosition | None
) -> tuple[bytes, str | None]:
    """Return a page as JSON, and the cursor of the next one; called in a thread, as it may have 10,000 changes."""
    content = page(document, since, lines, limit, after)
    return orjson.dumps(content), content["next"]
