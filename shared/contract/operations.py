"""The operations of the OpenAPI document: parameters from the readers of handlers, answers from the annotations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.parameters import ParameterReader
from shared.web.answers import NOT_IN_304
from shared.web.query import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from shared.contract.failures import Failures
    from shared.parameters import Readers


@dataclass(frozen=True, eq=False)
class Operation:
    """One row of the router's table, as far as the document shows it.

    *name* is that of its handler's module, *query* the readers of its parameters, *dialect* the name of its dialect.
    """

    method: str
    path: str
    name: str
    query: Readers
    dialect: str = "problem"


def described(operation: Operation, annotations: dict[str, Any], failures: Failures) -> dict[str, Any]:
    """Return the Operation Object of *operation*; *annotations* is schemas/openapi.yaml, *failures* its responses.

    Raise LookupError that names what the annotations lack.
    """
    annotation = _annotated(annotations["operations"], operation.name, "operations")
    tag, _ = (_annotated(annotation, name, f"operations.{operation.name}") for name in ("tag", "answers"))
    return {
        "operationId": operation.name,
        "tags": [tag],
        **{name: annotation[name] for name in ("summary", "description") if name in annotation},
        **({"security": [{"bearer": []}]} if annotation.get("token") else {}),
        "parameters": [*_parameters(operation, annotation, annotations["parameters"])],
        **({"requestBody": {"required": True, **annotation["body"]}} if "body" in annotation else {}),
        "responses": _answers(annotation) | failures.of(operation.dialect, annotation),
    }


def _parameters(operation: Operation, annotation: dict[str, Any], common: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        yield {"name": name, "in": "path", "required": True, **_annotated(common["path"], name, "parameters.path")}
    prose = {**common["query"], **annotation.get("query", {})}
    readers: dict[str, Callable[[str], object]] = {**operation.query}
    if any("application/yaml" in answer.get("content", {}) for answer in annotation["answers"].values()):
        readers["format"] = FORMATS
    for name in [*readers, *(name for name in annotation.get("query", {}) if name not in readers)]:
        about = _annotated(prose, name, f"operations.{operation.name}.query")
        about = about if isinstance(about, dict) else {"description": about}
        yield {"name": name, "in": "query", **_read_by(readers.get(name)), **about}
    for name in [*annotation.get("headers", []), *(["If-None-Match"] if annotation.get("conditional") else [])]:
        yield {"name": name, "in": "header", **_annotated(common["headers"], name, "parameters.headers")}


def _annotated(annotations: Mapping[str, Any], name: str, where: str) -> Any:  # noqa: ANN401 - as it is written in YAML
    """Return the annotation *name* of *annotations*, the part *where* of schemas/openapi.yaml, or raise LookupError."""
    if name not in annotations:
        raise LookupError(f"schemas/openapi.yaml has no {name} under {where}.")
    return annotations[name]


def _read_by(reader: Callable[[str], object] | None) -> dict[str, Any]:
    if not isinstance(reader, ParameterReader):
        return {"schema": {"type": "string"}}
    default = {} if reader.default is None else {"default": reader.default}
    required = {"required": True} if reader.required else {}
    return {**required, "schema": {**reader.schema, **default}}


def _answers(annotation: dict[str, Any]) -> dict[str, Any]:
    rows = annotation["answers"].items()
    answers = {str(status): {**answer, **_headers(answer.get("headers", []))} for status, answer in rows}
    if annotation.get("conditional"):
        names = [name for name in annotation["answers"][200].get("headers", []) if name not in NOT_IN_304]
        about = "The copy that If-None-Match names is still good."
        answers["304"] = {"description": about, **_headers(names)}
    return answers


def _headers(names: list[str]) -> dict[str, Any]:
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}} if names else {}
