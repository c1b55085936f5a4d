from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.offline.cache import Cache, CachedDocument
from shared.problems import StartError

if TYPE_CHECKING:
    from pathlib import Path

STORED = CachedDocument(
    "https://a/b", Validators('"1"', "then"), "2026-11-23T10:00:00Z", "2026-11-23T09:00:00Z", "text"
)


def test_what_is_kept_is_there_for_the_next_run(tmp_path: Path) -> None:
    Cache(tmp_path / "new" / "cache").keep("state-hub", STORED)

    assert Cache(tmp_path / "new" / "cache").load("state-hub", STORED.url) == STORED


def test_what_came_from_elsewhere_does_not_count(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.keep("state-hub", STORED)

    assert cache.load("state-hub", "https://a/other") is None
    assert cache.load("other", STORED.url) is None


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"validators": [1, 2, 3]}', b'{"validators": []}'])
def test_a_damaged_file_is_as_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "state-hub.json").write_bytes(damage)

    assert Cache(tmp_path).load("state-hub", STORED.url) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("body", None), ("body", 7), ("checked_at", "soon"), ("checked_at", "2026-11-23T10:00:00"), ("changed_at", 7),
        ("validators", [1, 2, 3]),
    ],
)  # fmt: skip
def test_a_file_with_a_value_that_is_none_is_as_none(tmp_path: Path, name: str, value: object) -> None:
    kept = json.dumps(STORED._asdict() | {"validators": [*STORED.validators], name: value})
    (tmp_path / "state-hub.json").write_text(kept, encoding="utf-8")

    assert Cache(tmp_path).load("state-hub", STORED.url) is None


def test_a_folder_that_can_not_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StartError, match="cache"):
        Cache(tmp_path / "file" / "cache")
