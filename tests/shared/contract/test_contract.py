from __future__ import annotations

from typing import Any

import pytest

from shared import schemas
from shared.contract import document


def references(node: Any) -> list[str]:
    """Return every ``$ref`` below *node*."""
    if isinstance(node, list):
        return [one for child in node for one in references(child)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [one for child in node.values() for one in references(child)]


def test_every_reference_leads_to_a_whole_component() -> None:
    components = document()["components"]
    places = {f"#/components/{kind}/{name}" for kind, named in components.items() for name in named}

    assert set(references(document())) <= places


def test_no_schema_of_the_document_holds_definitions_of_its_own() -> None:
    assert "$defs" not in str(document())


@pytest.mark.parametrize("name", document()["components"]["schemas"])
def test_components_are_named_as_classes_are(name: str) -> None:
    assert name.isidentifier()
    assert name[0].isupper()


def test_a_capability_has_all_its_fields_and_requires_what_is_always_there() -> None:
    served = document()["components"]["schemas"]["Capability"]
    published = schemas.schema("capability-index")["$defs"]["capability"]
    fields = {name for name, rule in published["properties"].items() if rule.get("not") != {}}

    assert served["properties"].keys() == fields | {"source_repo", "entry_url"}
    assert fields >= {"id", "name", "summary", "vector", "tags", "owner", "path", "consumption_modes", "status"}
    assert served["required"] == ["id", "name", "source_repo"]
    # What a repository publishes is served as it is, so the rules are the same.
    own = schemas.schema("federated-index")["$defs"]["capability"]
    assert {name: own["properties"][name] for name in fields} == {
        name: rule for name, rule in published["properties"].items() if name in fields
    }
    assert own["additionalProperties"] == published["additionalProperties"]


@pytest.mark.parametrize(
    ("place", "items"),
    [
        (("FederatedIndex", "capabilities"), "Capability"),
        (("FederatedIndex", "sources"), "FederatedSource"),
        (("FederatedIndex", "conflicts"), "Conflict"),
        (("PageOfCapabilities", "capabilities"), "Capability"),
        (("DryRun", "capabilities"), "Capability"),
        (("Problem", "errors"), "Offence"),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else value,
)
def test_lists_say_of_what_they_are(place: tuple[str, str], items: str) -> None:
    schema = document()["components"]["schemas"][place[0]]

    assert schema["properties"][place[1]]["items"] == {"$ref": f"#/components/schemas/{items}"}
