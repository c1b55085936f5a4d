"""GET /sources/{repo}: all there is to know about one source, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from shared.pages import asked_of, page
from shared.pages.recent import recent
from shared.pages.searching import described
from shared.pages.summary import row_of
from shared.pages.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from shared.federation import Edition
    from shared.findings import Finding
    from shared.hub import Hub
    from shared.index.content import Entry

MOST_ENTRIES = 100


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the page."""
    asked_of(request)
    registration = await hub.store.get(request.path_params["repo"])

    changes = await hub.store.history(registration.repo)
    edition = hub.federation.edition
    part, source = edition.by_repo.get(registration.repo), hub.sources.all().get(registration.repo)
    entries = part.content.entries if part and part.content else ()
    lines = hub.federation.changes.since(hub.federation.changes.oldest)

    return await page(
        hub,
        request,
        "source.html",
        row=row_of(hub, registration),
        scheduled=hub.settings.refresh,
        changes=changes,
        findings=await hub.reads.run(_of_repo, await hub.findings.made(), registration.repo),
        held=waiting(source),
        turns=await hub.reads.run(recent, lines, registration.repo),
        validators=source.kept.validators if source and source.kept else None,
        # In a thread: a hundred entries can be all of a large index.
        entries=await hub.reads.run(_all_shown, edition, registration.repo, entries[:MOST_ENTRIES]),
        more=max(0, len(entries) - MOST_ENTRIES),
    )


def _of_repo(findings: Sequence[Finding], repo: str) -> list[Finding]:
    return [finding for finding in findings if finding.repo == repo]


def _all_shown(edition: Edition, repo: str, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [_shown(edition, repo, entry) for entry in entries]


def _shown(edition: Edition, repo: str, entry: Entry) -> dict[str, Any]:
    """Return what the page shows of *entry*: its facts, and which repo's entry is served where that is another."""
    claim = edition.claim(repo, entry.id)
    winner = claim.winner if claim and claim.winner != repo else ""
    return described(orjson.loads(entry.json)) | {"served_from": winner}
