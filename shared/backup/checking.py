"""Whether a hub that was opened on what a backup holds serves only what it would have let in by itself.

The sums of a backup tell that nobody changed it by accident. They don't tell who wrote it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from shared import schemas
from shared.problems import Offence
from shared.web.query import JSON

if TYPE_CHECKING:
    from shared.hub import Hub
    from shared.model.content import Content
    from shared.model.registration import Registration


def must_be_sound(hub: Hub) -> None:
    """Raise ValueError naming the first registration or content of *hub* that breaks the rules of its schema.

    So that it does not first come to light when somebody reads it, which would then fail for good.
    """
    for repo, source in hub.sources.all().items():
        _must_hold(f"the registration of {repo}", _of_registration(source.registration))
        for content in filter(None, source.contents):
            _must_hold(f"what was read from {repo}", _of_content(content))
    representations = hub.federation.document.representations
    [body] = [encoded.body for form, encoded in representations.items() if form == (JSON, "identity")]
    _must_hold("the federated index", schemas.checker("federated-index")(orjson.loads(body)))


def _must_hold(what: str, offences: list[Offence]) -> None:
    for pointer, detail in offences[:1]:
        raise ValueError(f"{what}: {pointer or '/'} {detail}")


def _of_registration(registration: Registration) -> list[Offence]:
    wanted = schemas.checker("hub-registration", "wanted")(registration.wanted().as_json())
    return wanted or schemas.checker("hub-registration")(registration.as_json())


def _of_content(content: Content) -> list[Offence]:
    index: dict[str, Any] = {"version": 1, "domain": content.domain, "base_url": content.base_url}
    index = {name: value for name, value in index.items() if value is not None}
    index["capabilities"] = [entry.decoded().published() for entry in content.entries]
    offences = schemas.checker("capability-index")(index)
    if not offences and any(former.id >= later.id for former, later in pairwise(content.entries)):
        return [Offence("/capabilities", "is not in the order of the ids")]
    return offences
