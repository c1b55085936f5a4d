"""The schemas of the OpenAPI document, flat: every shared piece is a component of its own, with a unique name.

Generators of clients make a class of each component, named like it, and follow no reference into a part of one.
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
    """Return *written* and the schemas of schemas/ with all their ``$defs``, named by their titles in PascalCase.

    Raise ValueError where two schemas define a part under one title, each in its own way.
    """
    found: dict[str, Any] = {}
    for name in NAMES:
        whole = schema(name)
        for part in (whole, *whole.get("$defs", {}).values()):
            moved = _moved(part, whole)
            del moved["title"]
            if found.setdefault(_name(part), moved) != moved:
                raise ValueError(f"Two schemas define {part['title']!r}, each in its own way.")
    return {name: _in_words(one) for name, one in (found | written).items()}


def _in_words(node: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return *node* with the defaults of its properties in their descriptions.

    What a body leaves out the hub fills in. Of a ``default`` some generators make a field that has to be given, others
    one that is always sent.
    """
    if isinstance(node, list):
        return [_in_words(one) for one in node]
    if not isinstance(node, dict):
        return node
    said = {name: _in_words(value) for name, value in node.items()}
    if "default" in said and not isinstance(said["default"], dict):
        sentence = f"The default is {json.dumps(said.pop('default'))}."
        said["description"] = f"{said.get('description', '')} {sentence}".strip()
    return said


def _name(part: dict[str, Any]) -> str:
    return "".join(word.capitalize() for word in part["title"].split())


def _moved(node: Any, whole: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of a schema
    """Return *node* with its references, which lead into *whole*, led to the components."""
    if isinstance(node, list):
        return [_moved(one, whole) for one in node]
    if not isinstance(node, dict):
        return node
    moved = {name: _moved(value, whole) for name, value in node.items() if name not in _NOT_HERE}
    # Generators take alternatives that say only what is required for types of their own, and lose the properties.
    if all(one.keys() == {"required"} for one in moved.get("oneOf", [])):
        moved.pop("oneOf", None)
    if isinstance(node.get("$ref"), str):
        _, _, name, *rest = node["$ref"].split("/")
        moved["$ref"] = "/".join([_PLACE + _name(whole["$defs"][name]), *rest])
    return moved


def flattened(node: Any, schemas: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of the document
    """Return *node*, any part of the document, with no reference to a property of one of *schemas*, but what that says.

    What stands beside such a reference outranks what it leads to.
    """
    if isinstance(node, list):
        return [flattened(one, schemas) for one in node]
    if not isinstance(node, dict):
        return node
    flat = {name: flattened(value, schemas) for name, value in node.items()}
    if flat.get("type") == "object" and not flat.keys() & {"properties", "additionalProperties"}:
        # Said outright, since some generators take an object without properties for one that has to be empty.
        flat["additionalProperties"] = True
    reference = flat.get("$ref")
    if isinstance(reference, str) and (part := _PART.fullmatch(reference)):
        del flat["$ref"]
        return flattened(schemas[part[1]]["properties"][part[2]], schemas) | flat
    return flat
