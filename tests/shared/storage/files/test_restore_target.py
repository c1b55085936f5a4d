from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import orjson
import pytest

from shared.problems import StartError
from shared.storage.engine import Head
from shared.storage.files import FilesEngine
from shared.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.storage.archive import RestoreTarget
    from tests.builders import Hands

SERVED = Head(3, "2026-11-23T10:00:00Z", "sha256:3", {})


@pytest.fixture
def engine(tmp_path: Path, hands: Hands) -> FilesEngine:
    return FilesEngine(tmp_path / "data", hands.clock(), Tally())


@contextmanager
def filled(engine: FilesEngine) -> Iterator[RestoreTarget]:
    """Put an edition into *engine*, and look at it as a restore does."""
    with engine.restore_target() as target:
        target.put("federated.json", orjson.dumps({"format": 1, **SERVED._asdict()}))
        target.put("changes.jsonl", b"{}\n")
        target.put("content/a.json", b"{}")
        draft = target.engine()
        draft.open()
        assert draft.editions.load().head == SERVED
        draft.release()
        yield target


def names(engine: FilesEngine) -> list[str]:
    return sorted(str(path.relative_to(engine.folder)) for path in engine.folder.rglob("*"))


def test_what_was_put_counts_in_the_end_under_the_serial_that_it_moved_on_to(engine: FilesEngine) -> None:
    with filled(engine) as target:
        assert [name for name in names(engine) if not name.startswith(".restoring-")] == ["hub.lock"]
        target.move_on(500)

    assert names(engine) == ["content", "content/a.json", "federated.json", "hub.lock"]
    assert engine.editions.load().head == SERVED._replace(serial=500)


def test_nothing_of_it_is_left_where_that_ends_by_an_error(engine: FilesEngine) -> None:
    with pytest.raises(KeyError), filled(engine):
        raise KeyError

    assert names(engine) == ["hub.lock"]


def test_a_folder_that_holds_something_is_not_filled(engine: FilesEngine) -> None:
    engine.folder.mkdir()
    (engine.folder / "notes").touch()

    with pytest.raises(StartError, match="is not empty: it holds notes"), engine.restore_target():
        pytest.fail("it was filled")

    assert names(engine) == ["hub.lock", "notes"]


def test_a_folder_that_another_process_holds_is_not_filled(engine: FilesEngine) -> None:
    engine.open()

    with pytest.raises(StartError, match="Another process holds"), engine.restore_target():
        pytest.fail("it was filled")
    engine.release()
