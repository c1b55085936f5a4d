"""The operations of the OpenAPI document: their parameters as handlers read them, their answers as they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.web.answers import NOT_IN_304
from shared.web.parameters import ParameterReader
from shared.web.query import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.contract.failures import Failures
    from shared.web.parameters import Readers


@dataclass(frozen=True, eq=False)
class Operation:
    """What the router knows of one.

    *name* is that of its handler's module, *query* how its parameters are read, *dialect* names how it says failures.
    """

    method: str
    path: str
    name: str
    query: Readers
    dialect: str = "problem"


def described(operation: Operation, written: dict[str, Any], failures: Failures) -> dict[str, Any]:
    """Return the Operation Object of *operation*; *written* is what people wrote, *failures* keeps the problems."""
    said = written["operations"][operation.name]
    return {
        "operationId": operation.name,
        "tags": [said["tag"]],
        **{name: said[name] for name in ("summary", "description") if name in said},
        **({"security": [{"bearer": []}]} if said.get("token") else {}),
        "parameters": [*_parameters(operation, said, written["parameters"])],
        **({"requestBody": {"required": True, **said["body"]}} if "body" in said else {}),
        "responses": _answers(said) | failures.of(operation.dialect, said),
    }


def _parameters(operation: Operation, said: dict[str, Any], common: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", operation.path):
        yield {"name": name, "in": "path", "required": True, **common["path"][name]}
    prose = {**common["query"], **said.get("query", {})}
    readers: dict[str, Callable[[str], object]] = {**operation.query}
    if any("application/yaml" in answer.get("content", {}) for answer in said["answers"].values()):
        readers["format"] = FORMATS
    for name in [*readers, *(one for one in said.get("query", {}) if one not in readers)]:
        about = prose[name] if isinstance(prose[name], dict) else {"description": prose[name]}
        yield {"name": name, "in": "query", **_read_by(readers.get(name)), **about}
    for name in [*said.get("headers", []), *(["If-None-Match"] if said.get("conditional") else [])]:
        yield {"name": name, "in": "header", **common["headers"][name]}


def _read_by(reader: Callable[[str], object] | None) -> dict[str, Any]:
    if not isinstance(reader, ParameterReader):
        return {"schema": {"type": "string"}}
    default = {} if reader.default is None else {"default": reader.default}
    required = {"required": True} if reader.required else {}
    return {**required, "schema": {**reader.schema, **default}}


def _answers(said: dict[str, Any]) -> dict[str, Any]:
    answers = {str(status): {**one, **_headers(one.get("headers", []))} for status, one in said["answers"].items()}
    if said.get("conditional"):
        kept = [name for name in said["answers"][200].get("headers", []) if name not in NOT_IN_304]
        about = "The copy that If-None-Match names is still good."
        answers["304"] = {"description": about, **_headers(kept)}
    return answers


def _headers(names: list[str]) -> dict[str, Any]:
    return {"headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}} if names else {}
