"""The machine contract: the OpenAPI document, made of what the code says of itself and of what only people know.

The code says which paths and methods there are, how parameters are read, what each type of problem is, and by which
schemas documents are checked. schemas/openapi.yaml says what each operation is for, what it answers, and gives examples
(docs/decisions/0024).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

from shared.contract.failures import Failures
from shared.contract.flattening import components, flattened
from shared.contract.operations import Operation, described
from shared.schemas import FOLDER

__all__ = ["Operation", "document"]


@lru_cache(maxsize=1)
def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """Return the OpenAPI document of *operations*; every reference in it leads to a whole component.

    It takes about a tenth of a second to make, so it is made when it is first asked for, and kept.
    """
    written: dict[str, Any] = yaml.load((FOLDER / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
    failures = Failures(written["problems"])
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = described(operation, written, failures)
    shared = written["components"]
    whole = {
        **{name: written[name] for name in ("openapi", "info", "tags")},
        "servers": [{"url": "/", "description": "The hub that serves this document."}],
        "paths": paths,
        "components": {**shared, "schemas": components(shared["schemas"]), "responses": failures.responses},
    }
    flat: dict[str, Any] = flattened(whole, whole["components"]["schemas"])
    return flat
