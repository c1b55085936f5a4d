"""Flattens the schemas of the OpenAPI document: every shared part becomes a component with a unique name.

Generators of clients make a class of each component, named like it, and don't follow a reference into a part of one.
"""

from __future__ import annotations

import json
import re
from typing import Any

from shared.schemas import NAMES, schema

_PLACE = "#/components/schemas/"
_PART = re.compile(rf"{_PLACE}(\w+)/properties/(\w+)")
_NOT_HERE = {"$schema", "$defs"}


def components(written: dict[str, Any]) -> dict[str, Any]:
    """Return *written* and the schemas of schemas/ with all their ``$defs``, by their titles in PascalCase.

    Raise ValueError where two schemas define different parts under one title.
    """
    parts: dict[str, Any] = {}
    for name in NAMES:
        whole = schema(name)
        for part in (whole, *whole.get("$defs", {}).values()):
            copy = _moved(part, whole)
            del copy["title"]
            if parts.setdefault(_name(part), copy) != copy:
                raise ValueError(f"Two schemas define {part['title']!r}, each in its own way.")
    return {name: _in_words(item) for name, item in (parts | written).items()}


def _in_words(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return *node* with each ``default`` replaced by a sentence in the description of its property.

    The hub fills in a property that a body leaves out. From ``default`` some generators make a required property,
    others one that the client always sends.
    """
    if isinstance(node, list):
        return [_in_words(item) for item in node]
    if not isinstance(node, dict):
        return node
    filled = {name: _in_words(value) for name, value in node.items()}
    if "default" in filled and not isinstance(filled["default"], dict):
        sentence = f"The default is {json.dumps(filled.pop('default'))}."
        filled["description"] = f"{filled.get('description', '')} {sentence}".strip()
    return filled


def _name(part: dict[str, Any]) -> str:
    return "".join(word.capitalize() for word in part["title"].split())


def _moved(node: Any, whole: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a copy of *node*, a part of the schema *whole*, whose references are to components."""
    if isinstance(node, list):
        return [_moved(item, whole) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {name: _moved(value, whole) for name, value in node.items() if name not in _NOT_HERE}
    # From alternatives that differ only in ``required`` generators make separate types without the properties.
    if all(item.keys() == {"required"} for item in copy.get("oneOf", [])):
        copy.pop("oneOf", None)
    if isinstance(node.get("$ref"), str):
        _, _, name, *rest = node["$ref"].split("/")
        copy["$ref"] = "/".join([_PLACE + _name(whole["$defs"][name]), *rest])
    return copy


def flattened(node: Any, schemas: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of the document
    """Return a copy of *node* in which each reference to a property of one of *schemas* is replaced by its content.

    Members beside such a reference override those of the content.
    """
    if isinstance(node, list):
        return [flattened(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    flat = {name: flattened(value, schemas) for name, value in node.items()}
    if flat.get("type") == "object" and not flat.keys() & {"properties", "additionalProperties"}:
        # Stated, since some generators take an object without properties for one that has to be empty.
        flat["additionalProperties"] = True
    reference = flat.get("$ref")
    if isinstance(reference, str) and (part := _PART.fullmatch(reference)):
        del flat["$ref"]
        return flattened(schemas[part[1]]["properties"][part[2]], schemas) | flat
    return flat
