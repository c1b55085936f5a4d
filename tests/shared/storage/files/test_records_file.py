from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from shared.model.record import DatedFault, Record, RecordDetails
from shared.model.status import Status
from shared.problems import StartError
from shared.storage.files.records_file import RecordsFile, SavedRecords

if TYPE_CHECKING:
    from pathlib import Path


def test_remembers_every_record_and_how_long_the_hub_ran(tmp_path: Path) -> None:
    path, url = tmp_path / "sources.json", "https://example.org/a"
    fault = DatedFault(4, 9, "/capabilities/0/id", "is wrong", None, "2026-11-23T10:00:00Z")
    details = RecordDetails((fault,), "2026-11-23T09:00:00Z", 10.0, 20.0, 30.0, 40.0)
    status = Status(state="stale", error={"type": "x", "detail": "y"})
    record = Record("a", url, "2026-11-23T08:00:00Z", 7, status, details, 3)
    saved = SavedRecords(50.5, 40.25, {"a": record, "b": record._replace(repo="b")})

    RecordsFile(path).save(saved)

    assert RecordsFile(path).load() == saved


def test_reads_records_that_were_written_without_the_number_of_their_registration(tmp_path: Path) -> None:
    path, url, at = tmp_path / "sources.json", "https://example.org/a", "2026-11-23T08:00:00Z"
    row = ["a", url, at, 7, {"state": "stale"}, [[], None, 10.0, 20.0, 30.0, 40.0]]
    path.write_text(json.dumps({"format": 2, "ran": 50.5, "watched": 40.25, "sources": [row]}))

    saved = RecordsFile(path).load()

    record = Record("a", url, at, 7, Status(state="stale"), RecordDetails((), None, 10.0, 20.0, 30.0, 40.0), 0)
    assert saved == SavedRecords(50.5, 40.25, {"a": record})


def test_reads_what_the_first_version_wrote(tmp_path: Path) -> None:
    path, url = tmp_path / "sources.json", "https://example.org/a"
    fault = DatedFault(4, 9, "/capabilities/0/id", "is wrong", None, "2026-11-23T10:00:00Z")
    rows = [
        [
            *("a", url, {"state": "stale", "capability_count": 3}),
            [[fault], "2026-11-23T09:00:00Z", "2026-11-23T07:00:00Z"],
        ],
        ["b", url, {"state": "fresh"}],
    ]
    path.write_text(json.dumps({"format": 1, "sources": rows}))

    saved = RecordsFile(path).load()

    a, b = saved.records.values()
    assert (saved.ran, saved.watched) == (0, 0)
    assert (a.url, a.registered_at, a.revision, a.status) == (url, "", 0, Status(state="stale", capability_count=3))
    assert a.details == RecordDetails((fault,), "2026-11-23T09:00:00Z")
    assert b.details == RecordDetails()


def test_is_empty_in_the_beginning(tmp_path: Path) -> None:
    assert RecordsFile(tmp_path / "sources.json").load() == SavedRecords()


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
        RecordsFile(path).load()

    assert path.read_bytes() == content
