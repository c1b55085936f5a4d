from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.problems import StartError
from shared.sources.journal import Journal, Record
from shared.sources.memory import Memory
from shared.sources.status import Status

if TYPE_CHECKING:
    from pathlib import Path


def test_remembers_every_record_with_its_url(tmp_path: Path) -> None:
    path, url = tmp_path / "sources.json", "https://example.org/a"
    record = Record("a", url, Status(state="stale", error={"type": "x", "detail": "y"}), Memory())

    Journal(path).save([record])

    assert Journal(path).load() == {("a", url): record}


def test_is_empty_in_the_beginning(tmp_path: Path) -> None:
    assert Journal(tmp_path / "sources.json").load() == {}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"format":1,"sour', id="cut off"),
        pytest.param(b'{"format":0,"sources":[]}', id="of another format"),
        pytest.param(b'{"format":1,"sources":[["a","u",{"colour":1}]]}', id="with a field of another version"),
        pytest.param(b"[]", id="another document"),
    ],
)
def test_a_bad_file_stops_the_start_and_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "sources.json"
    path.write_bytes(content)

    with pytest.raises(StartError, match=r"sources.json is damaged .* remove it"):
        Journal(path).load()

    assert path.read_bytes() == content
