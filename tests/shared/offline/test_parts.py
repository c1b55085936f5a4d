from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from shared.formats.documents import DocumentFaulty
from shared.model.registration import Registration
from shared.offline.parts import parts_of
from tests.builders import capability, index, registration

if TYPE_CHECKING:
    from shared.model.compose import Part
    from shared.model.status import State

NOW = "2026-11-23T10:00:00Z"
FACTS: dict[str, Any] = registration()
HUB = Registration(**FACTS, registered_at="0", updated_at="0", registered_by="manifest", revision=1)
ROW = {
    "repo": "inner", "url": "https://git.example.org/inner", "domain": "railiance", "required": True, "state": "held",
    "digest": f"sha256:{'0' * 64}", "capability_count": 1, "changed_at": "2026-11-20T10:00:00Z",
}  # fmt: skip


def federated(*capabilities: dict[str, Any], **changes: Any) -> dict[str, Any]:
    entries = list(capabilities) or [capability(source_repo="inner", entry_url="https://git.example.org/n1.md")]
    whole = {"version": 1, "serial": 3, "generated_at": NOW, "complete": True, "missing_required": []}
    return whole | {"sources": [ROW], "capabilities": entries, "conflicts": []} | changes


def parts(document: object, state: State = "fresh", *, required: bool = False) -> list[Part]:
    return parts_of(json.dumps(document).encode(), replace(HUB, required=required), state, NOW, "hub")


def test_an_index_is_one_part_of_its_repo() -> None:
    [part] = parts_of(index(), HUB, "stale", NOW, "index")

    assert (part.repo, part.state, part.changed_at) == ("state-hub", "stale", NOW)
    assert part.content is not None
    assert [entry.id for entry in part.content.entries] == ["capability.example.n1"]


def test_of_a_federated_index_each_repo_keeps_its_name_its_state_and_the_places_of_its_entries() -> None:
    [part] = parts(federated())

    assert (part.repo, part.state, part.changed_at) == ("inner", "held", ROW["changed_at"])
    assert (part.registration.domain, part.registration.url) == ("railiance", ROW["url"])
    assert not part.registration.required
    assert part.content is not None
    entry = json.loads(part.content.entries[0].json)
    assert list(entry) == ["id", "name", "entry_url", "source_repo"]
    assert entry["source_repo"] == "inner"


def test_a_federated_index_that_is_old_makes_all_its_parts_old() -> None:
    assert [part.state for part in parts(federated(), "stale")] == ["stale"]


def test_a_place_that_is_no_web_address_is_left_out() -> None:
    [part] = parts(federated(capability(source_repo="inner", entry_url="javascript:alert(1)")))

    assert part.content is not None
    assert "entry_url" not in json.loads(part.content.entries[0].json)


def test_a_repo_without_content_brings_none() -> None:
    row = ROW | {"digest": None, "state": "failed", "changed_at": None, "capability_count": 0}

    [part] = parts(federated(sources=[row], capabilities=[]) | {"capabilities": []})

    assert (part.state, part.content) == ("failed", None)


@pytest.mark.parametrize(
    "document",
    [
        federated(version=2),
        federated(capability(source_repo="stranger")),
        federated(capability(source_repo="inner", id="?")),
        federated(sources=[ROW | {"url": "javascript:alert(1)"}]),
    ],
    ids=["schema", "stranger", "entry", "a url that runs"],
)
def test_a_federated_index_with_a_fault_brings_nothing(document: object) -> None:
    with pytest.raises(DocumentFaulty):
        parts(document)


def test_an_incomplete_one_does_not_stand_for_a_required_source() -> None:
    document = federated(complete=False, missing_required=["gone"])

    assert len(parts(document)) == 1
    with pytest.raises(DocumentFaulty, match="itself incomplete: gone"):
        parts(document, required=True)


def test_a_source_that_serves_nothing_does_not_stand_for_a_required_one() -> None:
    empty = ROW | {"digest": None, "state": "failed", "changed_at": None, "capability_count": 0}
    documents = [federated(sources=[], capabilities=[]), federated(sources=[empty], capabilities=[])]

    for document in documents:
        assert all(part.content is None for part in parts(document))
        with pytest.raises(DocumentFaulty, match="none of them has anything to serve"):
            parts(document, required=True)


@pytest.mark.parametrize(
    ("body", "published", "said"),
    [
        (json.dumps(federated()).encode(), "index", "is a federated index; .* say format: hub"),
        (index(), "hub", "is no federated index; .* leave out format: hub"),
        (b"[]", "hub", "is no federated index"),
    ],
    ids=["a federated index unasked", "an index for a hub", "neither"],
)
def test_what_the_manifest_says_decides_what_a_source_is(body: bytes, published: str, said: str) -> None:
    with pytest.raises(DocumentFaulty, match=said):
        parts_of(body, HUB, "fresh", NOW, published)
