"""GET /sources/{repo}: all there is to know about one source, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.pages import page, read_page_query
from shared.pages.searching import described
from shared.pages.source import recent, waiting
from shared.pages.summary import row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.federation import Edition
    from shared.findings import Finding
    from shared.model.capability import Entry
    from shared.model.lines import ChangeLine
    from shared.model.source import SourceView
    from shared.web.handling import Hub, Request, Response

MOST_ENTRIES = 100


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the page."""
    read_page_query(request)
    registration = await hub.store.get(request.path_params["repo"])

    changes = await hub.store.history(registration.repo)
    source = hub.sources.view(registration.repo)
    findings = await hub.findings.current()
    lines = hub.federation.changes.since(hub.federation.changes.oldest)
    facts = await hub.reads.run(_facts, hub.federation.edition, registration.repo, source, findings, lines)

    return await page(
        hub,
        request,
        "source.html",
        row=row_of(hub, registration),
        scheduled=hub.settings.refresh,
        changes=changes,
        validators=source.last_good.validators if source and source.last_good else None,
        **facts,
    )


def _facts(
    edition: Edition, repo: str, source: SourceView | None, findings: Sequence[Finding], lines: Sequence[ChangeLine]
) -> dict[str, Any]:
    """Return what the page shows of all that *repo* publishes, of all findings and all changes; called in a thread."""
    part = edition.by_repo.get(repo)
    entries = part.entries if part else ()
    return {
        "findings": [finding for finding in findings if finding.repo == repo],
        "held": waiting(source),
        "turns": recent(lines, repo),
        "entries": [_shown(edition, repo, entry) for entry in entries[:MOST_ENTRIES]],
        "more": max(0, len(entries) - MOST_ENTRIES),
    }


def _shown(edition: Edition, repo: str, entry: Entry) -> dict[str, Any]:
    """Return what the page shows of *entry*: its facts, and which repo's entry is served where that is another."""
    claim = edition.claim(repo, entry.id)
    winner = claim.winner if claim and claim.winner != repo else ""
    return described(entry.decoded()) | {"served_from": winner}
