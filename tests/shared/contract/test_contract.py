from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import pytest
import yaml

from router import ENDPOINTS, operations
from shared import schemas
from shared.contract import Contract, Operation, document
from shared.findings import KINDS
from shared.model.status import STATES
from shared.pages.listing import ORDERS
from shared.problems import PROBLEMS
from shared.search.facts import KINDS as FACTS

CONTRACT = document(operations(ENDPOINTS))


def references(node: Any) -> list[str]:
    """Return every ``$ref`` below *node*."""
    if isinstance(node, list):
        return [one for child in node for one in references(child)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [one for child in node.values() for one in references(child)]


def test_every_reference_leads_to_a_whole_component() -> None:
    components = CONTRACT["components"]
    places = {f"#/components/{kind}/{name}" for kind, named in components.items() for name in named}

    assert set(references(CONTRACT)) <= places


def test_no_schema_of_the_document_holds_definitions_of_its_own() -> None:
    assert "$defs" not in str(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT["components"]["schemas"])
def test_components_are_named_as_classes_are(name: str) -> None:
    assert name.isidentifier()
    assert name[0].isupper()


def test_a_capability_has_all_its_fields_and_requires_what_is_always_there() -> None:
    served = CONTRACT["components"]["schemas"]["Capability"]
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
    schema = CONTRACT["components"]["schemas"][place[0]]

    assert schema["properties"][place[1]]["items"] == {"$ref": f"#/components/schemas/{items}"}


PROSE = yaml.safe_load((schemas.FOLDER / "openapi.yaml").read_text(encoding="utf-8"))


def test_people_wrote_of_every_operation_and_of_no_other() -> None:
    assert PROSE["operations"].keys() == {operation.name for operation in operations(ENDPOINTS)}


@pytest.mark.parametrize("operation", operations(ENDPOINTS), ids=lambda operation: operation.name)
def test_people_wrote_of_every_parameter_and_of_no_other(operation: Operation) -> None:
    said = PROSE["operations"][operation.name].get("query", {})
    described_themselves = {name for name, one in said.items() if isinstance(one, dict) and "schema" in one}

    assert said.keys() - described_themselves == operation.query.keys() - PROSE["parameters"]["query"].keys()


def test_a_parameter_has_the_bounds_and_the_default_that_its_handler_reads_it_with() -> None:
    parameters = {one["name"]: one for one in CONTRACT["paths"]["/v1/repos"]["get"]["parameters"]}

    assert parameters["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
    assert parameters["state"]["schema"]["enum"] == [*STATES]
    assert re.fullmatch(parameters["domain"]["schema"]["pattern"], "helix_forge")
    sorts = {one["name"]: one for one in CONTRACT["paths"]["/sources"]["get"]["parameters"]}["sort"]["schema"]
    assert sorts == {"type": "string", "enum": [*ORDERS], "default": "repo"}


def test_every_answer_that_may_be_a_304_tells_how_to_ask_for_it() -> None:
    for item in CONTRACT["paths"].values():
        for operation in item.values():
            named = {one["name"] for one in operation["parameters"]}
            assert ("304" in operation["responses"]) == ("If-None-Match" in named), operation["operationId"]


class Waiting(Mapping[str, Any]):
    """The readers of an operation without parameters, which wait to be read until *free* is set."""

    def __init__(self) -> None:
        self.entered, self.free = threading.Event(), threading.Event()
        self.reads = 0

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        self.entered.set()
        assert self.free.wait(20), "nothing else ran while the document was made"
        return iter(())

    def __len__(self) -> int:
        return 0

    def __getitem__(self, name: str) -> Any:
        raise KeyError(name)


async def test_others_are_answered_while_the_document_is_made_and_it_is_made_once() -> None:
    query = Waiting()
    contract = Contract("http://hub")
    contract.describe([Operation("GET", "/health", "hub.health", query)])

    both = asyncio.gather(contract.encoded(), contract.encoded())
    await asyncio.to_thread(query.entered.wait, 20)
    assert not both.done()
    query.free.set()
    first, second = await both

    assert first is second is await contract.encoded()
    assert query.reads == 1
    made = orjson.loads(first.content)
    assert ([*made["paths"]], made["servers"]) == (["/health"], [{"url": "http://hub"}])


async def test_other_operations_are_another_document_with_another_tag() -> None:
    contract = Contract("http://hub")
    contract.describe([Operation("GET", "/health", "hub.health", {})])
    before = await contract.encoded()
    contract.describe([Operation("GET", "/ready", "hub.ready", {})])
    after = await contract.encoded()

    assert [*orjson.loads(after.content)["paths"]] == ["/ready"]
    assert before.tag != after.tag


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("ArdErrorCode", {"INVALID_ARGUMENT", "UNAUTHENTICATED", "NOT_FOUND", "RATE_LIMIT_EXCEEDED", "INTERNAL_ERROR",
                          "NOT_IMPLEMENTED"}),
        ("FindingKind", set(KINDS)),
        ("FindingSeverity", {"error", "warning", "info"}),
        ("Outcome", {"changed", "unchanged", "held", "failed"}),
        ("SchemaName", set(schemas.NAMES)),
        ("SourceErrorType", {slug for slug, kind in PROBLEMS.items() if kind.status == 502}),
        ("SourceStateName", set(STATES)),
    ],
)  # fmt: skip
def test_the_values_of_a_component_are_those_of_the_code(name: str, values: set[str]) -> None:
    assert set(CONTRACT["components"]["schemas"][name]["enum"]) == values
    assert "enum" not in PROSE["components"]["schemas"][name]


def objects(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema of an object, below *node*, that says which of its properties are required."""
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from objects(child)
    if isinstance(node, dict) and isinstance(node.get("required"), list):
        yield node


def test_what_requires_a_property_says_that_it_is_an_object_and_what_the_property_is() -> None:
    # A reference brings the properties; strict validators still want the type.
    requiring = [*objects(CONTRACT["components"]["schemas"])]

    assert len(requiring) > 30
    assert [one for one in requiring if one.get("type") != "object"] == []
    own = [one for one in requiring if "$ref" not in one]
    assert [one for one in own if set(one["required"]) - one.get("properties", {}).keys()] == []


def test_the_facets_of_a_search_are_those_of_every_kind_of_fact() -> None:
    facets = CONTRACT["components"]["schemas"]["PageOfCapabilities"]["properties"]["facets"]

    assert facets["required"] == [*facets["properties"]] == [*FACTS]


def described_things(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping below *node* that has a description."""
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from described_things(child)
    if isinstance(node, dict) and isinstance(node.get("description"), str):
        yield node


def test_no_half_of_a_description_became_a_field_of_its_own() -> None:
    # In {description: a, b} YAML reads b as a field without a value.
    things = [*described_things(PROSE)]

    assert len(things) > 100
    assert [one for one in things if any(value is None and name != "example" for name, value in one.items())] == []
