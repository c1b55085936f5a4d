"""GET /problems/{slug}: what a type of problem means and what to do about it, for people and programs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from shared.answers import answer, json_answer
from shared.problems import PROBLEMS, NotFound
from shared.query import HTML, JSON, read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from shared.hub import Hub

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title} ({slug})</title>
<main>
<h1>{title}</h1>
<p><code>{slug}</code>, status {status}</p>
<h2>What it means</h2>
<p>{meaning}</p>
<h2>What to do</h2>
<p>{remedy}</p>
</main>
</html>
"""
_STRICT = {"Content-Security-Policy": "default-src 'none'", "Cache-Control": "public, max-age=3600", "Vary": "Accept"}


async def handle(_hub: Hub, request: Request) -> Response:
    """Answer the page."""
    asked = read_query(request, (HTML, JSON))
    slug = request.path_params["slug"]
    if slug not in PROBLEMS:
        raise NotFound(f"There is no problem {slug!r}.")

    kind = PROBLEMS[slug]
    facts = {"slug": slug, "title": kind.title, "status": kind.status, "meaning": kind.meaning(), "remedy": kind.remedy}

    if asked.media_type == JSON:
        return json_answer(facts, headers=_STRICT)
    page = _PAGE.format_map({name: escape(str(fact)) for name, fact in facts.items()})
    return answer(page.encode(), f"{HTML}; charset=utf-8", headers=_STRICT)
