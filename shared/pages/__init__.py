"""The pages for people: HTML templates, filled with values that are escaped as text.

Every value is escaped by the template engine (autoescape), so no handler has to. Pages are rendered in a thread: a
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
from shared.parameters import HTML, MOST_TEXT
from shared.version import VERSION
from shared.web.answers import BROWSED, OPEN
from shared.web.dialect import PROBLEM, Dialect, problem_document
from shared.web.query import header_list, pairs, prefers_html, read_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jinja2 import Environment

    from shared.hub import Hub
    from shared.problems import Problem
    from shared.web.query import Parameters

_FOLDER = Path(__file__).resolve().parent / "templates"
_HEADERS = {**OPEN, **BROWSED, "Cache-Control": "no-cache", "Vary": "Accept, Accept-Encoding"}
_NONE: Mapping[str, str] = MappingProxyType({})


def read_page_query(
    request: Request, offers: Sequence[str] = (HTML,), /, **readers: Callable[[str], object]
) -> Parameters:
    """Return the parameters in the URL of a page, as ``read_query`` does; raise BadQuery for a bad value.

    Unlike the API, a page ignores unknown parameters: people share its URL, and mail programs add parameters to it. An
    empty field of a form counts as left out.
    """
    values = [(name, text) for name, text in pairs(request) if name in readers and text.strip()]
    return read_query(Request({**request.scope, "query_string": urlencode(values).encode()}), offers, **readers)


def typed_text(text: str) -> str:
    """Return *text*, typed by a person, cut to 200 characters and without blanks around it.

    Invisible characters come along when text is copied; those that the API refuses are removed.
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
    """Return a 200 with *template* rendered with *facts*; *headers* override the usual ones. Raise Overloaded."""
    rendering = _Rendering(template, {**everywhere(hub, request), **facts}, header_list(request, "accept-encoding"))
    return await hub.reads.run(rendering.response, 200, headers)


class _Rendering(NamedTuple):
    template: str
    facts: dict[str, Any]
    coding: str

    def response(self, status: int, headers: Mapping[str, str]) -> Response:
        body = _environment(self.facts["base"]).get_template(self.template).render(self.facts).encode()
        body, coded = compressed(body, self.coding)
        return Response(body, status, {**_HEADERS, **coded, **headers}, f"{HTML}; charset=utf-8")


def problem_page(hub: Hub, request: Request, problem: Problem) -> Response:
    """Return the page about *problem*, with its status and headers."""
    document = problem_document(hub, request, problem)
    facts = everywhere(hub, request) | {"problem": document, "slug": problem.slug}
    uncached = {"Cache-Control": "no-store", **problem.headers}
    return _Rendering("problem.html", facts, "").response(problem.answer_status, uncached)


def _failure(hub: Hub, request: Request, problem: Problem) -> Response:
    """Return *problem* as a page where ``Accept`` prefers HTML, else as ``application/problem+json``."""
    # Rendering may fail for the same shortage as the answer that it replaces; the JSON needs no file and little memory.
    with contextlib.suppress(OSError, MemoryError):
        if prefers_html(request):
            return problem_page(hub, request, problem)
    answer = PROBLEM.failure(hub, request, problem)
    answer.headers["Vary"] = "Accept"
    return answer


PAGE = Dialect("page", _failure)
"""Resources for people and programs: failures are a page or ``application/problem+json``, by ``Accept``."""


def everywhere(hub: Hub, request: Request) -> dict[str, Any]:
    """Return the values that every template uses: ``base``, ``path``, ``public``, ``serial``, ``now`` and others."""
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
    """Return the templates of a hub whose public path is *base*, with which every link in them begins."""
    # Imported here: a hub whose pages nobody reads never loads it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"base": base, "asset": partial(assets.address, base), "states": words.STATES}
    environment.filters |= {"ago": words.ago, "span": words.span, "moment": words.moment, "count": words.count}
    environment.filters |= {"web": words.web_address}
    return environment
