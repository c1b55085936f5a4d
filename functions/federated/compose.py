"""POST /v1/federated/compose: check every source that is due, and compose.

With force=true, which is for admins, every enabled source is checked, but none whose host asked to be left alone.
Checks under way are joined. What arrives is served as it arrives. The answer comes when all checks are done and the
federated index shows what they brought.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from shared.parameters import Readers, flag
from shared.web.handling import Hub, Request, Response, json_answer, leave_body, read_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.federation import Edition
    from shared.model.source import Outcome

QUERY: Readers = {"force": flag.otherwise(default=False)}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the new serial and the outcome of each check."""
    author = hub.auth.require_writer(request)
    query = read_query(request, **QUERY)
    leave_body(request)

    outcomes = await hub.registry.compose(author, force=query["force"])

    # In a thread, since thousands of results take long; not in hub.reads, which might refuse what is already done.
    return await asyncio.to_thread(_answer, hub.federation.edition, outcomes)


def _answer(edition: Edition, outcomes: Sequence[Outcome]) -> Response:
    body = {
        "serial": edition.document.serial,
        "complete": edition.document.complete,
        "counts": Counter(outcome.outcome for outcome in outcomes),
        "results": [edition.outcome(outcome) for outcome in outcomes],
    }
    return json_answer(body)
