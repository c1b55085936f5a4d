from __future__ import annotations

from typing import Any

import pytest

from shared.formats.capability_index import read_index
from shared.model.record import Record, RecordDetails
from shared.model.source_update import SourceUpdate
from shared.model.status import Status
from shared.model.stored_content import HeldContent, StoredContent, Validators
from tests.builders import capability, index

RECORD = Record("a", "https://a.example/", "", 1, Status(), RecordDetails())
GOOD, WAITING = (
    StoredContent(RECORD.url, Validators(), "2026-11-23T10:00:00Z", read_index(index(capability(number)), "a"))
    for number in (1, 2)
)


@pytest.mark.parametrize(
    ("writes", "held", "written"),
    [
        pytest.param(None, HeldContent(WAITING, None), None, id="nothing"),
        pytest.param("good", None, GOOD, id="what is let in"),
        pytest.param("held", HeldContent(WAITING, None), WAITING, id="what is held"),
    ],
)
def test_names_the_content_that_has_to_be_written(
    writes: Any, held: HeldContent | None, written: StoredContent | None
) -> None:
    assert SourceUpdate("changed", RECORD, GOOD, held, writes).to_write == written
