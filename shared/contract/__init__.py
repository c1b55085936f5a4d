"""The machine contract: the OpenAPI document, made of what the code says of itself and of what only people know.

The code says which paths and methods there are, how parameters are read, what each type of problem is, and by which
schemas documents are checked. schemas/openapi.yaml says what each operation is for, what it answers, and gives examples
(docs/decisions/0024).
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
from shared.model.settled import Ending
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
"""All values of a component, where the code has them in one place."""


class EncodedContract(NamedTuple):
    """The document as JSON, and its strong entity tag (RFC 9110 §8.8.3)."""

    content: bytes
    tag: str


class Contract:
    """The OpenAPI document that a hub serves at *public*, of the operations that its router names."""

    def __init__(self, public: str) -> None:
        self._public = public
        self._operations: tuple[Operation, ...] = ()
        self._encoded: EncodedContract | None = None
        self._making = asyncio.Lock()

    def describe(self, operations: Iterable[Operation]) -> None:
        """Let the document be of *operations*, in place of those before."""
        self._operations, self._encoded = tuple(operations), None

    async def encoded(self) -> EncodedContract:
        """Return the document; the first call makes it in a thread, calls at the same time wait for that one.

        Making it takes a fifth of a second of the processor, and a megabyte until it is encoded; about 100 KB are kept.
        """
        async with self._making:
            if self._encoded is None:
                self._encoded = await asyncio.to_thread(self._encode)
        return self._encoded

    def _encode(self) -> EncodedContract:
        content = orjson.dumps(document(self._operations) | {"servers": [{"url": self._public}]})
        return EncodedContract(content, tag_of(content))


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of *operations*; every reference in it leads to a whole component."""
    written: dict[str, Any] = yaml.load((FOLDER / "openapi.yaml").read_bytes(), yaml.CSafeLoader)
    failures = Failures(written["problems"])
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = described(operation, written, failures)
    shared = written["components"]
    for name, values in _VALUES.items():
        shared["schemas"][name]["enum"] = [*values]
    whole = {
        **{name: written[name] for name in ("openapi", "info", "tags")},
        "servers": [{"url": "/", "description": "The hub that serves this document."}],
        "paths": paths,
        "components": {**shared, "schemas": components(shared["schemas"]), "responses": failures.responses},
    }
    flat: dict[str, Any] = flattened(whole, whole["components"]["schemas"])
    return flat
