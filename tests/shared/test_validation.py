from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.formats.documents import Fault
from shared.formats.reader import DocumentReader
from shared.problems import InvalidIndex, SourceTooLarge
from shared.validation import as_json, faults_of, validate_index, validate_manifest
from tests.builders import index

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FAULT = Fault(3, 7, "/version", "must be 1", "Write version: 1, without quotes.")


@pytest.fixture
async def reader() -> AsyncIterator[DocumentReader]:
    made = DocumentReader()
    yield made
    await made.close()


async def test_a_verdict_counts_what_is_valid(reader: DocumentReader) -> None:
    assert await validate_index(reader, index()) == {"valid": True, "capability_count": 1, "errors": []}


@pytest.mark.parametrize("validate", [validate_index, validate_manifest])
async def test_markup_is_a_fault_of_the_whole(reader: DocumentReader, validate: object) -> None:
    verdict = await validate(reader, b"<p>")  # type: ignore[operator]

    (error,) = verdict["errors"]
    assert (verdict["valid"], error["line"], error["column"], error["pointer"]) == (False, 1, 1, "")
    assert error["hint"]


def test_a_source_that_is_wrong_as_a_whole_has_one_fault() -> None:
    assert faults_of(SourceTooLarge("Too large.")) == (Fault(1, 1, "", "Too large", SourceTooLarge.remedy),)
    assert faults_of(InvalidIndex("Bad.", faults=[FAULT])) == (FAULT,)


def test_a_hint_that_there_is_none_of_is_left_out() -> None:
    with_hint, without = as_json([FAULT, FAULT._replace(hint=None)])

    assert with_hint == FAULT._asdict()
    assert without == {name: value for name, value in with_hint.items() if name != "hint"}
