"""GET /problems/{slug}: what a type of problem means and what to do about it, for people and programs."""

from __future__ import annotations

from shared.pages import page
from shared.problems import PROBLEMS, NotFound
from shared.web.handling import BROWSED, HTML, JSON, Hub, Request, Response, json_answer, read_query

_KEPT = {"Cache-Control": "public, max-age=3600"}


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the page."""
    query = read_query(request, (HTML, JSON))
    slug = request.path_params["slug"]
    if slug not in PROBLEMS:
        raise NotFound(f"There is no problem {slug!r}.")

    kind = PROBLEMS[slug]
    facts = {"slug": slug, "title": kind.title, "status": kind.status, "meaning": kind.meaning(), "remedy": kind.remedy}

    if query.media_type == JSON:
        return json_answer(facts, headers={**BROWSED, **_KEPT, "Vary": "Accept"})
    return await page(hub, request, "kind.html", headers=_KEPT, **facts)
