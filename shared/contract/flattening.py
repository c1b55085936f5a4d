"""The schemas of the OpenAPI document, flat: every shared piece is a component of its own, with a unique name.

Generators of clients make a class of each component, named like it, and follow no reference into a part of one.
"""

from __future__ import annotations

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
    return found | written


def _name(part: dict[str, Any]) -> str:
    return "".join(word.capitalize() for word in part["title"].split())


def _moved(node: Any, whole: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of a schema
    """Return *node* with its references, which lead into *whole*, led to the components."""
    if isinstance(node, list):
        return [_moved(one, whole) for one in node]
    if not isinstance(node, dict):
        return node
    moved = {name: _moved(value, whole) for name, value in node.items() if name not in _NOT_HERE}
    if isinstance(node.get("$ref"), str):
        _, _, name, *rest = node["$ref"].split("/")
        moved["$ref"] = "/".join([_PLACE + _name(whole["$defs"][name]), *rest])
    return moved


def flattened(node: Any, schemas: dict[str, Any]) -> Any:  # noqa: ANN401 - any part of the document
    """Return *node* with every reference to a property of one of *schemas* replaced by what the property says.

    What stands beside such a reference outranks what it leads to.
    """
    if isinstance(node, list):
        return [flattened(one, schemas) for one in node]
    if not isinstance(node, dict):
        return node
    flat = {name: flattened(value, schemas) for name, value in node.items()}
    reference = flat.get("$ref")
    if isinstance(reference, str) and (part := _PART.fullmatch(reference)):
        del flat["$ref"]
        return flattened(schemas[part[1]]["properties"][part[2]], schemas) | flat
    return flat
