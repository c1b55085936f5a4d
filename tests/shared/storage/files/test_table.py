from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from shared.problems import StartError, StorageUnavailable
from shared.storage.files.table import Database, RetiredNumbers
from shared.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

ROWS: dict[str, dict[str, Any]] = {"a": {"url": "u"}, "b": {"url": "v"}}
NEW: dict[str, dict[str, Any]] = {"c": {"url": "w"}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the registrations lie."""
    return tmp_path / "registrations.json"


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    Database(path).save(ROWS, RetiredNumbers(3, 8))
    Database(path).save({"b": None, **NEW}, RetiredNumbers(5, 8))

    assert Database(path).load() == ({"a": {"url": "u"}, **NEW}, RetiredNumbers(5, 8))


def test_begins_empty_and_writes_nothing_by_itself(path: Path) -> None:
    assert Database(path).load() == ({}, RetiredNumbers())
    assert not path.exists()


def test_says_what_the_file_is(path: Path) -> None:
    Database(path).save(ROWS, RetiredNumbers(3, 8))

    assert orjson.loads(path.read_bytes())["about"] == {
        "1": {"kind": "reuse-surface registrations", "format": 3, "written_by": VERSION}
    }


def test_a_save_that_fails_changes_nothing_here_or_on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(path)
    database.save(ROWS, RetiredNumbers(3, 8))
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(StorageUnavailable):
            database.save(NEW, RetiredNumbers(4, 8))

    assert database.load() == (ROWS, RetiredNumbers(3, 8))
    assert path.read_bytes() == before
    database.save(NEW, RetiredNumbers(4, 8))
    assert Database(path).load() == (ROWS | NEW, RetiredNumbers(4, 8))


def test_the_generation_before_lies_beside_it(path: Path) -> None:
    database = Database(path)
    database.save(ROWS, RetiredNumbers(3, 8))
    before = path.read_bytes()
    database.save(NEW, RetiredNumbers(4, 8))

    assert path.with_name("registrations.json.prev").read_bytes() == before


def test_a_file_that_is_gone_though_its_previous_generation_is_there_stops_the_start(path: Path) -> None:
    database = Database(path)
    database.save(ROWS, RetiredNumbers(3, 8))
    database.save(ROWS, RetiredNumbers(3, 8))
    path.unlink()

    with pytest.raises(StartError, match="is missing, but its previous generation is there"):
        Database(path)

    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 64, id="zeros"),
        pytest.param(b'{"about": {"1": {"kind": "reuse-surface registrations", "format": 4}}}', id="newer"),
        pytest.param(b'{"about": {"1": {"kind": "reuse-surface registrations", "format": 0}}}', id="of no format"),
        pytest.param(b'{"about": {"1": {"kind": "another program", "format": 1}}}', id="another program's"),
        pytest.param(b'{"_default": {}}', id="another TinyDB"),
        pytest.param(b"[]", id="a list"),
    ],
)
def test_a_file_that_can_not_be_trusted_stops_the_start_and_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(StartError, match="left untouched"):
        Database(path)

    assert path.read_bytes() == content


OLD = (
    b'{"about":{"1":{"kind":"reuse-surface registrations","format":1}},"repos":{'
    b'"late":{"url":"u","registered_at":"2026-11-23T11:00:00.000000Z"},"b":{"retired":3},'
    b'"z-first":{"url":"v","registered_at":"2026-11-23T10:00:00.000000Z"},"c":{"retired":7}}}'
)
UPGRADED = {
    "late": {"url": "u", "registered_at": "2026-11-23T11:00:00.000000Z", "sequence": 2},
    "z-first": {"url": "v", "registered_at": "2026-11-23T10:00:00.000000Z", "sequence": 1},
}


def test_an_old_file_is_brought_to_the_present_format_and_kept_aside(path: Path) -> None:
    path.write_bytes(OLD)
    database = Database(path)
    assert database.load() == (UPGRADED, RetiredNumbers(7))
    assert [one.name for one in path.parent.iterdir()] == ["registrations.json"]
    assert path.read_bytes() == OLD

    database.upgrade()

    assert orjson.loads(path.read_bytes())["about"]["1"] == {
        "kind": "reuse-surface registrations",
        "format": 3,
        "written_by": VERSION,
    }
    assert path.with_name("registrations.json.format-1").read_bytes() == OLD
    assert Database(path).load() == (UPGRADED, RetiredNumbers(7))


def test_a_second_upgrade_keeps_the_file_of_the_last_one(path: Path) -> None:
    path.write_bytes(OLD)
    Database(path).upgrade()
    newer = OLD.replace(b'"u"', b'"w"')
    path.write_bytes(newer)

    database = Database(path)
    assert database.load()[0]["late"]["url"] == "w"
    database.upgrade()

    assert path.with_name("registrations.json.format-1").read_bytes() == newer


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_an_upgrade_that_the_volume_refuses_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    path.write_bytes(OLD)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as full:
        full.setattr(os, broken, fail)
        with pytest.raises(StorageUnavailable):
            Database(path).upgrade()

    assert path.read_bytes() == OLD
    assert Database(path).load() == (UPGRADED, RetiredNumbers(7))


def test_a_downgrade_is_refused_and_says_which_version_to_start(path: Path) -> None:
    content = OLD.replace(b'"format":1', b'"format":4,"written_by":"9.1.0"')
    path.write_bytes(content)

    with pytest.raises(StartError) as refusal:
        Database(path)

    assert "was written in format 4, by 9.1.0; this version knows formats up to 3" in str(refusal.value)
    assert "restore a backup" in str(refusal.value)
    assert path.read_bytes() == content
    assert [one.name for one in path.parent.iterdir()] == [path.name]
