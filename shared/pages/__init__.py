"""The pages for people: templates filled with what the hub knows, as text, never as markup.

Everything is escaped where it is put in (autoescape), so no handler has to remember to. Pages are made in a thread: a
table of many sources takes milliseconds that other readers need not wait for.
"""

from __future__ import annotations

import contextlib
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from shared.characters import refused
from shared.pages import assets, words
from shared.pages.assets import compressed
from shared.version import VERSION
from shared.web.answers import BROWSED, OPEN
from shared.web.dialect import PROBLEM, Dialect, problem_document
from shared.web.parameters import MOST_TEXT
from shared.web.query import HTML, header_list, pairs, prefers_html, read_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2 import Environment

    from shared.hub import Hub
    from shared.problems import Problem
    from shared.web.query import Parameters

_FOLDER = Path(__file__).resolve().parent / "templates"
_HEADERS = {**OPEN, **BROWSED, "Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
_NONE: Mapping[str, str] = MappingProxyType({})


def asked_of(request: Request, offers: Sequence[str] = (HTML,), /, **readers: Callable[[str], object]) -> Parameters:
    """Return what the address of a page asks for; raise BadQuery for a bad value.

    Unlike the API, a page ignores what it does not know: addresses are shared, and others add parameters to them.
    Empty fields of a form count as not given.
    """
    values = [(name, text) for name, text in pairs(request) if name in readers and text.strip()]
    return read_query(Request({**request.scope, "query_string": urlencode(values).encode()}), offers, **readers)


def typed(text: str) -> str:
    """Read what a person typed: its first 200 characters, without blanks around it.

    Characters that nobody sees come along when text is copied; those that the API refuses are taken out.
    """
    text = text.strip()[:MOST_TEXT]
    while refusal := refused(text):
        text = text[: refusal.offset] + text[refusal.offset + len(refusal.letters) :]
    return text.strip()


async def page(
    hub: Hub,
    request: Request,
    template: str,
    *,
    headers: Mapping[str, str] = _NONE,
    **facts: Any,  # noqa: ANN401 - what the template takes
) -> Response:
    """Return the page that *template* makes of *facts*; *headers* come before the usual ones."""
    making = _Making(template, {**everywhere(hub, request), **facts}, header_list(request, "accept-encoding"))
    return await hub.reads.run(making.done, 200, headers)


class _Making(NamedTuple):
    template: str
    facts: dict[str, Any]
    coding: str

    def done(self, status: int, headers: Mapping[str, str]) -> Response:
        body = _environment(self.facts["base"]).get_template(self.template).render(self.facts).encode()
        body, coded = compressed(body, self.coding)
        return Response(body, status, {**_HEADERS, **coded, **headers}, f"{HTML}; charset=utf-8")


def problem_page(hub: Hub, request: Request, problem: Problem) -> Response:
    """Return the page that tells a person of *problem*."""
    document = problem_document(hub, request, problem)
    facts = everywhere(hub, request) | {"problem": document, "slug": problem.slug}
    uncached = {"Cache-Control": "no-store", **problem.headers}
    return _Making("problem.html", facts, "").done(problem.answer_status, uncached)


def _failure(hub: Hub, request: Request, problem: Problem) -> Response:
    """Return what goes wrong as a page to who prefers HTML, else as JSON."""
    # The page may fail for the same want as the answer that it is for; the JSON of it needs nothing more.
    with contextlib.suppress(OSError, MemoryError):
        if prefers_html(request):
            return problem_page(hub, request, problem)
    answer = PROBLEM.failure(hub, request, problem)
    answer.headers["Vary"] = "Accept"
    return answer


PAGE = Dialect("page", _failure)
"""What people and programs both look at: failures are a page or ``application/problem+json``, by ``Accept``."""


def everywhere(hub: Hub, request: Request) -> dict[str, Any]:
    """Return what every page shows."""
    return {
        "base": hub.settings.public_path,
        "path": request.url.path,
        "public": hub.settings.public,
        "serial": hub.federation.document.serial,
        "version": VERSION,
        "read_only": hub.settings.token is None and hub.settings.tokens_file is None,
        "now": hub.clock.now(),
    }


@cache
def _environment(base: str) -> Environment:
    """Return the templates of a hub under the path *base* of its host: every address in them begins with it."""
    # Imported here: a hub that no person looks at never pays for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"base": base, "asset": partial(assets.address, base), "states": words.STATES}
    made.filters |= {"ago": words.ago, "span": words.span, "moment": words.moment, "count": words.count}
    made.filters |= {"web": words.web_address}
    return made
