"""GET /v1/federated: the federated index, as JSON or YAML.

Never waits for a source and never fails because one does. With strict=true an incomplete index is a 503.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.federation.document import CODINGS, Form
from shared.parameters import Readers, flag
from shared.problems import FederationIncomplete
from shared.web.handling import CACHED, JSON, OPEN, YAML, Hub, Request, coding, not_modified, read_query
from shared.web.prepared import PreparedAnswer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from shared.federation import Document
    from shared.web.prepared import Messages

QUERY: Readers = {"strict": flag.otherwise(default=False)}


class Show:
    """A plain ASGI callable, since nothing is read as often: what it sends is made once per serial and form."""

    def __init__(self, hub: Hub) -> None:
        self._federation = hub.federation
        self._prepared = hub.prepared

    def ready(self, scope: Scope) -> Messages | None:
        """Return the answer where it was given before to a request in the same words, else None."""
        return self._prepared.find(scope)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the representation asked for, or 304."""
        request = Request(scope, receive)
        query = read_query(request, (JSON, YAML), **QUERY)
        form = Form(query.media_type, coding(request, CODINGS))

        document = self._federation.document
        if query.get("strict") and not document.complete:
            missing = ", ".join(document.missing_required)
            raise FederationIncomplete(f"Required sources with nothing to serve: {missing}.")
        body, etag = await document.representation(form)

        answer = PreparedAnswer.of(body, etag, _headers(document), _about(form))
        self._prepared.keep(scope, document, form, answer)
        for message in answer.unchanged if not_modified(request, etag) else answer.whole:
            await send(message)


def _headers(document: Document) -> dict[str, str]:
    return {
        **OPEN,
        **CACHED,
        "Vary": "Accept, Accept-Encoding",
        "Reuse-Surface-Serial": str(document.serial),
        "Reuse-Surface-Complete": str(document.complete).lower(),
    }


def _about(form: Form) -> dict[str, str]:
    coded = {} if form.coding == "identity" else {"Content-Encoding": form.coding}
    return {"Content-Type": form.media_type, **coded}
