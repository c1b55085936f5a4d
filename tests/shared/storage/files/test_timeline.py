from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from shared.model.spans import Span
from shared.problems import StorageUnavailable
from shared.storage.files import timeline as module
from shared.storage.files.timeline import TimelineFile

if TYPE_CHECKING:
    from pathlib import Path

SPANS = [Span(0, 60, (1, 0, 0, 0, 0, 0)), Span(120, 180, (0, 1, 0, 0, 0, 0))]


def test_what_was_saved_is_there_for_the_next_start(tmp_path: Path) -> None:
    assert TimelineFile(tmp_path).load() == []

    asyncio.run(TimelineFile(tmp_path).save(SPANS))

    assert TimelineFile(tmp_path).load() == SPANS


def test_a_file_that_can_not_be_understood_stays_until_another_is_written(tmp_path: Path) -> None:
    path = tmp_path / "timeline.json"
    path.write_bytes(b"[]")
    past = TimelineFile(tmp_path)

    assert past.load() == []
    assert [one.name for one in tmp_path.iterdir()] == ["timeline.json"]
    asyncio.run(past.save(SPANS))

    assert (TimelineFile(tmp_path).load(), (tmp_path / "timeline.json.prev").read_bytes()) == (SPANS, b"[]")


def test_a_volume_that_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        asyncio.run(TimelineFile(tmp_path / "gone").save(SPANS))


def test_the_file_is_written_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    monkeypatch.setattr(module, "write_whole", lambda *_: threads.append(threading.current_thread()))

    asyncio.run(TimelineFile(tmp_path).save(SPANS))

    assert [thread is threading.main_thread() for thread in threads] == [False]
