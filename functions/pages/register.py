"""GET /register: register a repository, or check an index before it is published, for people.

The address holds what is to be registered, so that it can be shared; a token is never part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.pages import page, read_page_query
from shared.pages.registering import lines, offences_of
from shared.parameters import Readers, flag

if TYPE_CHECKING:
    from shared.web.handling import Hub, Request, Response

# More than any field may have, so that the rules of the API name the one that is too long.
_LONGEST = 4096


async def handle(hub: Hub, request: Request) -> Response:
    """Answer the page."""
    fields: dict[str, Any] = read_page_query(request, **QUERY)

    offences = offences_of(fields, hub.guard) if fields else ()
    curl, client = lines(fields, hub.settings.public)

    return await page(
        hub, request, "register.html", given=fields, offences=offences, curl=curl, client=client
    )


def _text(text: str) -> str:
    return text.strip()[:_LONGEST]


QUERY: Readers = {"url": _text, "repo": _text, "domain": _text, "required": flag}
