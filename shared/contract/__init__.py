"""The machine contract: the OpenAPI document, made of what is written in schemas/openapi.yaml and of the schemas."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from shared.contract.flattening import components, flattened
from shared.schemas import FOLDER


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document; every reference in it leads to a whole component."""
    whole: dict[str, Any] = yaml.load((FOLDER / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
    whole["components"]["schemas"] = components(whole["components"]["schemas"])
    flat: dict[str, Any] = flattened(whole, whole["components"]["schemas"])
    return flat
