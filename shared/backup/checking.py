"""Checks a restored hub by the rules for what comes from outside, before anything of the backup is served.

The digests in a backup show that it was not damaged. They don't show who made it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import orjson

from shared import schemas
from shared.parameters import JSON
from shared.problems import Offence

if TYPE_CHECKING:
    from shared.hub import Hub
    from shared.model.content import Content
    from shared.model.registration import Registration


def must_be_sound(hub: Hub) -> None:
    """Raise ValueError that names the first registration or content of *hub* that breaks its schema.

    The federated index made of them is checked too: a fault would otherwise fail every later request that reads it.
    """
    for view in hub.sources.views():
        _must_hold(f"the registration of {view.repo}", _of_registration(view.registration))
        for content in filter(None, view.contents):
            _must_hold(f"what was read from {view.repo}", _of_content(content))
    # The uncompressed JSON is always among them.
    representations = hub.federation.document.representations
    [body] = [encoded.body for form, encoded in representations.items() if form == (JSON, "identity")]
    _must_hold("the federated index", schemas.checker("federated-index")(orjson.loads(body)))


def _must_hold(subject: str, offences: list[Offence]) -> None:
    for pointer, detail in offences[:1]:
        raise ValueError(f"{subject}: {pointer or '/'} {detail}")


def _of_registration(registration: Registration) -> list[Offence]:
    faults = schemas.checker("hub-registration", "wanted")(registration.client_fields().as_json())
    return faults or schemas.checker("hub-registration")(registration.as_json())


def _of_content(content: Content) -> list[Offence]:
    index: dict[str, Any] = {"version": 1, "domain": content.domain, "base_url": content.base_url}
    index = {name: value for name, value in index.items() if value is not None}
    index["capabilities"] = [entry.decoded().published() for entry in content.entries]
    offences = schemas.checker("capability-index")(index)
    if not offences and any(former.id >= later.id for former, later in pairwise(content.entries)):
        return [Offence("/capabilities", "is not in the order of the ids")]
    return offences
