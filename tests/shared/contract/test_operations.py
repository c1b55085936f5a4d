from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.contract.failures import Failures
from shared.contract.operations import Operation, described
from shared.parameters import flag, one_of, slug, whole

if TYPE_CHECKING:
    from shared.parameters import Readers

PROSE: dict[str, Any] = {
    "parameters": {
        "path": {"repo": {"description": "Whose.", "schema": {"type": "string"}}},
        "query": {"cursor": "Where it goes on.", "format": {"description": "JSON or YAML."}},
        "headers": {"If-Match": {"description": "A tag."}, "If-None-Match": {"description": "A copy's."}},
    }
}


def made(readers: Readers, method: str = "GET", **said: Any) -> dict[str, Any]:
    """Return the description of an operation on /v1/repos/{repo} of which people wrote *said*."""
    whole_prose = {"tag": "repos", "summary": "Look.", "answers": {200: {"description": "It."}}, **said}
    written = PROSE | {"operations": {"repos.look": whole_prose}}
    return described(Operation(method, "/v1/repos/{repo}", "repos.look", readers), written, Failures({}))


def test_the_parts_of_the_path_are_parameters() -> None:
    assert made({})["parameters"] == [
        {"name": "repo", "in": "path", "required": True, "description": "Whose.", "schema": {"type": "string"}}
    ]


@pytest.mark.parametrize(
    ("reader", "parameter"),
    [
        (whole(1, 50), {"schema": {"type": "integer", "minimum": 1, "maximum": 50}}),
        (flag.otherwise(default=False), {"schema": {"type": "boolean", "default": False}}),
        (whole(0, 9).needed("it"), {"required": True, "schema": {"type": "integer", "minimum": 0, "maximum": 9}}),
        (one_of("a", "b"), {"schema": {"type": "string", "enum": ["a", "b"]}}),
        (slug, {"schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,99}$"}}),
        (str.upper, {"schema": {"type": "string"}}),
    ],
    ids=["bounds", "default", "required", "values", "pattern", "a function that says nothing of itself"],
)
def test_a_parameter_is_what_its_reader_takes(reader: Any, parameter: dict[str, Any]) -> None:
    parameters = made({"size": reader}, query={"size": "How many."})["parameters"]

    assert parameters[1:] == [{"name": "size", "in": "query", "description": "How many.", **parameter}]


def test_what_an_answer_in_yaml_implies_a_choice_of_formats() -> None:
    answers = {200: {"description": "It.", "content": {"application/yaml": {}}}}
    parameters = made({"cursor": str}, answers=answers)["parameters"]

    assert [one["name"] for one in parameters] == ["repo", "cursor", "format"]
    assert parameters[2]["schema"] == {"type": "string", "enum": ["json", "yaml"]}


def test_a_conditional_answer_takes_a_tag_and_may_be_a_304_with_the_same_headers() -> None:
    answers = {200: {"description": "It.", "headers": ["ETag", "Link"]}}
    operation = made({}, answers=answers, conditional=True)

    assert operation["parameters"][1] == {"name": "If-None-Match", "in": "header", "description": "A copy's."}
    assert operation["responses"]["200"]["headers"].keys() == {"ETag", "Link"}
    assert operation["responses"]["304"]["headers"] == {"ETag": {"$ref": "#/components/headers/ETag"}}


def test_a_write_takes_a_token_and_a_body() -> None:
    operation = made({}, "PUT", token=True, body={"content": {}}, headers=["If-Match"], description="All of it.")

    assert operation["security"] == [{"bearer": []}]
    assert operation["requestBody"] == {"required": True, "content": {}}
    assert operation["parameters"][1]["name"] == "If-Match"
    assert (operation["operationId"], operation["tags"]) == ("repos.look", ["repos"])
    assert (operation["summary"], operation["description"]) == ("Look.", "All of it.")
    assert {"200", "401", "413", "500", "503"} <= operation["responses"].keys()


ANSWERS = {200: {"description": "It."}}
BARE: dict[str, Any] = {"tag": "repos", "answers": ANSWERS}


def refused(operation: Operation, annotation: dict[str, Any] | None) -> str:
    """Return why *operation*, of which *annotation* is all that is written, is not described."""
    operations = {} if annotation is None else {operation.name: annotation}
    with pytest.raises(LookupError) as refusal:
        described(operation, PROSE | {"operations": operations}, Failures({}))
    return str(refusal.value)


@pytest.mark.parametrize(
    ("annotation", "lack"),
    [
        (None, "no repos.look under operations."),
        ({"answers": ANSWERS}, "no tag under operations.repos.look."),
        ({"tag": "repos"}, "no answers under operations.repos.look."),
        (BARE, "no size under operations.repos.look.query."),
        (BARE | {"query": {"size": "How many."}, "headers": ["X-Other"]}, "no X-Other under parameters.headers."),
    ],
    ids=["operation", "tag", "answers", "parameter", "header"],
)
def test_an_operation_without_an_annotation_is_refused_with_its_place(
    annotation: dict[str, Any] | None, lack: str
) -> None:
    operation = Operation("GET", "/v1/repos/{repo}", "repos.look", {"size": slug})

    assert refused(operation, annotation) == f"schemas/openapi.yaml has {lack}"


def test_a_part_of_a_path_without_an_annotation_is_refused_with_its_place() -> None:
    said = refused(Operation("GET", "/v1/{part}", "repos.look", {}), BARE)

    assert said == "schemas/openapi.yaml has no part under parameters.path."


def test_a_problem_that_there_is_not_is_refused_by_its_slug() -> None:
    said = refused(Operation("GET", "/v1/repos", "repos.look", {}), BARE | {"problems": ["repo-not-fund"]})

    assert said == "schemas/openapi.yaml names the problem repo-not-fund, which shared/problems/ has not."
