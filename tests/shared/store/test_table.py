from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from shared.problems import StartError, StorageUnavailable
from shared.store.table import Database
from shared.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path

ROWS: dict[str, dict[str, Any]] = {"a": {"url": "u"}, "b": {"retired": 3}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the registrations lie."""
    return tmp_path / "registrations.json"


def test_what_was_saved_is_there_after_a_restart(path: Path) -> None:
    Database(path).save(ROWS)
    Database(path).save({"b": {"url": "v"}})

    assert Database(path).load() == {"a": {"url": "u"}, "b": {"url": "v"}}


def test_begins_empty_and_writes_nothing_by_itself(path: Path) -> None:
    assert Database(path).load() == {}
    assert not path.exists()


def test_says_what_the_file_is(path: Path) -> None:
    Database(path).save(ROWS)

    assert orjson.loads(path.read_bytes())["about"] == {
        "1": {"kind": "reuse-surface registrations", "format": 2, "written_by": VERSION}
    }


def test_a_save_that_fails_changes_nothing_here_or_on_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database(path)
    database.save(ROWS)
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(StorageUnavailable):
            database.save({"c": {"url": "w"}})

    assert database.load() == ROWS
    assert path.read_bytes() == before
    database.save({"c": {"url": "w"}})
    assert Database(path).load() == ROWS | {"c": {"url": "w"}}


def test_the_generation_before_lies_beside_it(path: Path) -> None:
    database = Database(path)
    database.save(ROWS)
    before = path.read_bytes()
    database.save({"c": {"url": "w"}})

    assert path.with_name("registrations.json.prev").read_bytes() == before


def test_a_file_that_is_gone_though_its_previous_generation_is_there_stops_the_start(path: Path) -> None:
    database = Database(path)
    database.save(ROWS)
    database.save(ROWS)
    path.unlink()

    with pytest.raises(StartError, match="is missing, but its previous generation is there"):
        Database(path)

    assert not path.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0" * 64, id="zeros"),
        pytest.param(b'{"about": {"1": {"kind": "reuse-surface registrations", "format": 3}}}', id="newer"),
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


OLD = b'{"about":{"1":{"kind":"reuse-surface registrations","format":1}},"repos":{"a":{"url":"u"},"b":{"retired":3}}}'


def test_an_old_file_is_brought_to_the_present_format_and_kept_aside(path: Path) -> None:
    path.write_bytes(OLD)

    assert Database(path).load() == ROWS

    assert orjson.loads(path.read_bytes())["about"]["1"] == {
        "kind": "reuse-surface registrations",
        "format": 2,
        "written_by": VERSION,
    }
    assert path.with_name("registrations.json.format-1").read_bytes() == OLD
    assert Database(path).load() == ROWS


def test_a_second_upgrade_keeps_the_file_of_the_last_one(path: Path) -> None:
    path.write_bytes(OLD)
    Database(path)
    newer = OLD.replace(b'"u"', b'"v"')
    path.write_bytes(newer)

    assert Database(path).load()["a"] == {"url": "v"}

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
            Database(path)

    assert path.read_bytes() == OLD
    assert Database(path).load() == ROWS


def test_a_downgrade_is_refused_and_says_which_version_to_start(path: Path) -> None:
    content = OLD.replace(b'"format":1', b'"format":3,"written_by":"9.1.0"')
    path.write_bytes(content)

    with pytest.raises(StartError) as refusal:
        Database(path)

    assert "was written in format 3, by 9.1.0; this version knows formats up to 2" in str(refusal.value)
    assert "restore a backup" in str(refusal.value)
    assert path.read_bytes() == content
    assert [one.name for one in path.parent.iterdir()] == [path.name]
