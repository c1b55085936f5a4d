"""The machine contract: the OpenAPI document, generated from the code and from the annotations in schemas/.

The code has the paths and methods, the readers of parameters, the types of problems, and the schemas of documents.
schemas/openapi.yaml annotates each operation with its purpose, its answers and examples (docs/decisions/0024).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import orjson
import yaml

from shared.contract.failures import Failures
from shared.contract.flattening import components, flattened
from shared.contract.operations import Operation, described
from shared.findings import KINDS, SEVERITIES
from shared.model.source_update import Ending
from shared.model.status import STATES
from shared.problems import PROBLEMS, SourceProblem
from shared.schemas import FOLDER, NAMES
from shared.web.answers import tag_of
from shared.web.dialect import ARD_CODES

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Contract", "Operation", "document"]

_VALUES = {
    "ArdErrorCode": ARD_CODES,
    "FindingKind": tuple(KINDS),
    "FindingSeverity": SEVERITIES,
    "Outcome": get_args(Ending),
    "SchemaName": NAMES,
    "SourceErrorType": tuple(slug for slug, kind in PROBLEMS.items() if issubclass(kind, SourceProblem)),
    "SourceStateName": STATES,
}
"""The values of components that are enumerations of the code."""


class EncodedContract(NamedTuple):
    """The document as JSON, and its strong entity tag (RFC 9110 §8.8.3)."""

    content: bytes
    tag: str


class Contract:
    """The OpenAPI document of a hub with the public URL *public*; it is made when it is first read."""

    def __init__(self, public: str) -> None:
        self._public = public
        self._operations: tuple[Operation, ...] = ()
        self._encoded: EncodedContract | None = None
        self._making = asyncio.Lock()

    def describe(self, operations: Iterable[Operation]) -> None:
        """Replace the operations by *operations*, those of the router's table, and drop the document made before."""
        self._operations, self._encoded = tuple(operations), None

    async def encoded(self) -> EncodedContract:
        """Return the encoded document; the first call makes it in a thread, and concurrent calls wait for it.

        Making it takes a fifth of a second of processor time, and a megabyte until it is encoded; 100 KB stay.
        """
        async with self._making:
            if self._encoded is None:
                self._encoded = await asyncio.to_thread(self._encode)
        return self._encoded

    def _encode(self) -> EncodedContract:
        content = orjson.dumps(document(self._operations) | {"servers": [{"url": self._public}]})
        return EncodedContract(content, tag_of(content))


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of *operations*; every ``$ref`` in it is to a whole component.

    Raise LookupError that names what schemas/openapi.yaml lacks, or which problem it names that there is none of.
    """
    annotations: dict[str, Any] = yaml.load((FOLDER / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
    failures = Failures(annotations["problems"])
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = described(operation, annotations, failures)
    shared = annotations["components"]
    for name, values in _VALUES.items():
        shared["schemas"][name]["enum"] = [*values]
    whole = {
        **{name: annotations[name] for name in ("openapi", "info", "tags")},
        "servers": [{"url": "/", "description": "The hub that serves this document."}],
        "paths": paths,
        "components": {**shared, "schemas": components(shared["schemas"]), "responses": failures.responses},
    }
    flat: dict[str, Any] = flattened(whole, whole["components"]["schemas"])
    return flat
