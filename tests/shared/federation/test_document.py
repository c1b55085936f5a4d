from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.compose import Composition, compose
from shared.federation.document import encode, substance
from shared.query import JSON, YAML
from tests.builders import capability
from tests.shared.sharing import EARLY, LATER, part

NOW = "2026-11-23T10:00:00Z"
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def composition(*entries: dict[str, Any], **changes: Any) -> Composition:
    """Return the composition of one repo that brings *entries* and one that disputes the first of them."""
    first = entries[0] if entries else capability()
    rival = part("rival", {**first, "name": "Mine"}, at=LATER)
    return compose([part("ours", *entries, at=EARLY, **changes), rival])


def test_the_whole_document_stands_in_the_documented_order() -> None:
    document = encode(composition(capability(1, tags=["x"]), capability(2)), 7, NOW)

    read = orjson.loads(document.representations[JSON, "identity"].body)
    assert list(read) == [
        *["version", "serial", "generated_at", "complete", "missing_required"],
        *["sources", "capabilities", "conflicts"],
    ]
    assert (read["version"], read["serial"], read["generated_at"], read["complete"]) == (1, 7, NOW, True)
    assert [source["repo"] for source in read["sources"]] == ["ours", "rival"]
    assert read["capabilities"] == [
        capability(1, tags=["x"], source_repo="ours"),
        capability(2, source_repo="ours"),
    ]
    others = [{"repo": "rival", "identical": False}]
    assert read["conflicts"] == [{"id": capability(1)["id"], "repo": "ours", "others": others}]


def test_the_head_tells_what_is_missing() -> None:
    document = encode(compose([part("ours", state="failed", required=True)]), 7, NOW)

    assert (document.serial, document.generated_at) == (7, NOW)
    assert (document.complete, document.missing_required) == (False, ("ours",))
    assert orjson.loads(document.representations[JSON, "identity"].body)["missing_required"] == ["ours"]


NOTES = TEXT | st.integers(-(2**53), 2**53) | st.none()


@given(st.lists(st.fixed_dictionaries({"name": TEXT, "summary": TEXT, "note": NOTES})))
def test_yaml_and_gzip_say_what_json_says(given_entries: list[dict[str, Any]]) -> None:
    entries = [{"id": f"n{number}", **entry} for number, entry in enumerate(given_entries)]

    bodies = {kind: one.body for kind, one in encode(composition(*entries), 7, NOW).representations.items()}

    assert yaml.safe_load(bodies[YAML, "identity"]) == orjson.loads(bodies[JSON, "identity"])
    for kind in (JSON, YAML):
        assert gzip.decompress(bodies[kind, "gzip"]) == bodies[kind, "identity"]


def test_encoding_again_gives_the_same_bytes_and_tags() -> None:
    assert encode(composition(), 7, NOW) == encode(composition(), 7, NOW)


def tags(made: Composition, serial: int = 7, at: str = NOW) -> list[str]:
    return [one.etag for one in encode(made, serial, at).representations.values()]


def test_every_tag_is_quoted_strong_and_of_one_representation_alone() -> None:
    known = tags(composition())

    assert all(tag[0] == tag[-1] == '"' and tag.isascii() and len(tag) > 20 for tag in known)
    assert len(set(known)) == len(known)
    assert not {*known} & {*tags(composition(), 8)}
    assert not {*known} & {*tags(composition(capability(9)))}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(composition(capability(1, name="Other")), id="an entry"),
        pytest.param(composition(capability(1), capability(2)), id="one more entry"),
        pytest.param(composition(capability(1), state="stale"), id="a state"),
        pytest.param(composition(capability(1), required=True), id="what is required"),
        pytest.param(composition(capability(1), state="failed", required=True), id="what is missing"),
    ],
)
def test_what_is_said_differs_when(changed: Composition) -> None:
    assert substance(changed) != substance(composition(capability(1)))


def test_who_else_claims_an_id_is_part_of_what_is_said() -> None:
    ours, rival = part("ours", capability(1)), part("rival", capability(1), at=LATER)

    assert substance(compose([ours, rival])) != substance(compose([ours, part("rival", at=LATER)]))
    assert substance(compose([ours, rival])) == substance(compose([rival, ours]))
