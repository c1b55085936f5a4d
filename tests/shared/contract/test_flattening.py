from __future__ import annotations

import pytest

from shared import schemas
from shared.contract.flattening import components, flattened


def test_every_schema_and_every_part_of_one_is_a_component_of_its_own() -> None:
    flat = components({"Written": {"type": "string"}})

    assert {
        "Capability", "CapabilityIndex", "Claim", "Conflict", "FederatedIndex", "FederatedSource", "FederationManifest",
        "Line", "ManifestSource", "NewRegistration", "Offence", "Problem", "PublishedCapability", "Registration",
        "Repo", "Scalar", "Written",
    } == flat.keys()  # fmt: skip
    assert not any("$defs" in one or "$schema" in one or "title" in one for one in flat.values())
    assert flat["FederatedIndex"]["properties"]["capabilities"]["items"] == {"$ref": "#/components/schemas/Capability"}


def test_a_schema_leads_to_the_properties_of_its_parts_until_it_is_flattened() -> None:
    flat = components({})

    leading = flat["Registration"]["properties"]["repo"]
    assert leading == {"$ref": "#/components/schemas/NewRegistration/properties/repo"}
    assert flattened(leading, flat) == flat["NewRegistration"]["properties"]["repo"]


def test_alternatives_of_what_is_required_are_left_to_the_description() -> None:
    source = components({})["ManifestSource"]

    assert "oneOf" in schemas.schema("federation")["$defs"]["source"]
    assert "oneOf" not in source
    assert "exactly one of url (published) and index (local)" in source["description"]


def test_the_defaults_of_fields_are_told_in_words() -> None:
    written = {"Sent": {"properties": {"default": {"type": "string"}, "size": {"type": "integer", "default": 10}}}}
    flat = components(written)

    assert flat["Sent"]["properties"] == {
        "default": {"type": "string"},
        "size": {"type": "integer", "description": "The default is 10."},
    }
    enabled = flat["NewRegistration"]["properties"]["enabled"]
    assert "default" not in enabled
    assert enabled["description"].endswith("its history stay. The default is true.")


def test_an_object_of_any_properties_says_so() -> None:
    assert flattened({"type": "object"}, {}) == {"type": "object", "additionalProperties": True}
    assert flattened({"type": "object", "properties": {}}, {}) == {"type": "object", "properties": {}}


def test_what_stands_beside_a_reference_to_a_property_outranks_it() -> None:
    whole = {"A": {"properties": {"b": {"type": "string", "description": "Old."}}}}

    beside = {"description": "New.", "$ref": "#/components/schemas/A/properties/b"}
    assert flattened([beside], whole) == [{"type": "string", "description": "New."}]


def test_two_parts_of_one_title_must_be_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {"title": "Problem", "$defs": {"x": {"title": "Line", "type": "number"}}}
    read = schemas.schema
    monkeypatch.setattr("shared.contract.flattening.schema", lambda name: odd if name == "problem" else read(name))

    with pytest.raises(ValueError, match="'Line'"):
        components({})
