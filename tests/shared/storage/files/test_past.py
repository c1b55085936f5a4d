from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.model.spans import Span
from shared.problems import StorageUnavailable
from shared.storage.files.past import FilePast

if TYPE_CHECKING:
    from pathlib import Path

SPANS = [Span(0, 60, (1, 0, 0, 0, 0, 0)), Span(120, 180, (0, 1, 0, 0, 0, 0))]


def test_what_was_saved_is_there_for_the_next_start(tmp_path: Path) -> None:
    assert FilePast(tmp_path).load() == []

    FilePast(tmp_path).save(SPANS)

    assert FilePast(tmp_path).load() == SPANS


def test_a_file_that_can_not_be_understood_stays_until_another_is_written(tmp_path: Path) -> None:
    path = tmp_path / "timeline.json"
    path.write_bytes(b"[]")
    past = FilePast(tmp_path)

    assert past.load() == []
    assert [one.name for one in tmp_path.iterdir()] == ["timeline.json"]
    past.save(SPANS)

    assert (FilePast(tmp_path).load(), (tmp_path / "timeline.json.prev").read_bytes()) == (SPANS, b"[]")


def test_a_volume_that_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        FilePast(tmp_path / "gone").save(SPANS)
