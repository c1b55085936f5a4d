from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.kept import ServedIds, StoredContent
from shared.model.registration import Registration
from shared.problems import StartError, StorageUnavailable
from shared.storage.files.shelf import Shelf
from tests.builders import capability, index, registration

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://example.org/a"
ROW = Registration(
    **registration(repo="a", url=URL), registered_at="2026-11-23T09:00:00.000001Z", updated_at="",
    registered_by="operator", revision=1,
)  # fmt: skip
CONTENT = read_index(index(capability(1, tags=["ä", "b"]), capability(2), domain="d"), "a")
PAST = (ServedIds(12.5, b"12345678" * 3),)
KEPT = StoredContent(URL, Validators('"1"', "Mon"), "2026-11-23T10:00:00Z", CONTENT, ROW.registered_at, PAST, "sha256:0")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    (tmp_path / "content").mkdir()
    return Shelf(tmp_path / "content")


def keep(shelf: Shelf, kept: StoredContent = KEPT) -> None:
    shelf.place(shelf.draft("a", kept), "a")
    shelf.sync()


def test_gives_back_what_was_kept(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf)

    assert Shelf(tmp_path / "content").load(ROW) == KEPT


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_folder_that_can_not_be_synced_is_a_volume_that_refuses(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    shelf.place(shelf.draft("a", KEPT), "a")
    monkeypatch.setattr(os, call, refuse)

    with pytest.raises(StorageUnavailable) as refusal:
        shelf.sync()

    assert refusal.value.answer_status == 507
    assert "the volume refused a change: [Errno 28] No space left on device" in caplog.text


def test_a_draft_that_can_not_be_removed_stops_nothing(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    draft = shelf.draft("a", KEPT)
    monkeypatch.setattr(os, "unlink", refuse)

    shelf.discard(draft)

    assert f"{draft} could not be removed" in caplog.text


def test_knows_nothing_of_another_registration_or_repo(shelf: Shelf) -> None:
    keep(shelf)

    assert shelf.load(replace(ROW, revision=9, url="https://example.org/moved")) == KEPT
    assert shelf.load(replace(ROW, registered_at="2026-11-23T09:00:00.000002Z")) is None
    assert shelf.load(replace(ROW, repo="b")) is None


def test_registrations_that_a_standing_clock_dates_alike_are_told_apart_by_their_number(shelf: Shelf) -> None:
    keep(shelf, replace(KEPT, sequence=4))

    assert shelf.load(replace(ROW, sequence=4)) == replace(KEPT, sequence=4)
    assert shelf.load(replace(ROW, sequence=5)) is None


def test_takes_what_a_version_before_kept_by_its_url(shelf: Shelf, tmp_path: Path) -> None:
    head = {"format": 1, "url": URL, "validators": ['"1"', "Mon", ""], "changed_at": "2026-11-23T10:00:00Z"}
    whole = json.dumps(head)[:-1].encode() + b',"index":' + CONTENT.document() + b"}"
    (tmp_path / "content" / "a.json").write_bytes(whole)

    assert shelf.load(ROW) == StoredContent(URL, KEPT.validators, KEPT.changed_at, CONTENT)
    assert shelf.load(replace(ROW, url="https://example.org/moved")) is None


def test_content_that_is_not_what_was_written_stops_the_start(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf)
    path = tmp_path / "content" / "a.json"
    path.write_bytes(path.read_bytes().replace(b"Example 2", b"Example 3"))

    with pytest.raises(StartError, match=r"a.json is damaged .* remove it"):
        shelf.load(ROW)


def test_forgets(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf)

    shelf.drop("a")
    shelf.drop("a")

    assert list((tmp_path / "content").iterdir()) == []


def test_drops_what_no_registration_stands_behind_and_drafts(shelf: Shelf, tmp_path: Path) -> None:
    keep(shelf)
    shelf.draft("a", KEPT)
    (tmp_path / "content" / "gone.json").write_text("{}")

    shelf.tidy({"a"})

    assert [path.name for path in (tmp_path / "content").iterdir()] == ["a.json"]


def test_a_folder_that_can_not_be_listed_keeps_what_it_holds_for_the_next_start(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(shelf)

    def refuse(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        for call in ("listdir", "scandir"):
            broken.setattr(os, call, refuse)
        shelf.tidy(set())

    assert "content can't be listed, the next start tries again: Input/output error" in caplog.text
    assert shelf.load(ROW) == KEPT


def test_a_folder_that_can_not_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(b"")

    with pytest.raises(StartError, match=r"content can't be used: File exists"):
        Shelf(tmp_path / "content").make()


def test_a_draft_that_does_not_count_is_forgotten(shelf: Shelf, tmp_path: Path) -> None:
    shelf.discard(shelf.draft("a", KEPT))
    shelf.discard(None)

    assert list((tmp_path / "content").iterdir()) == []


def test_a_draft_whose_place_is_gone_is_told(shelf: Shelf, tmp_path: Path) -> None:
    draft = shelf.draft("a", KEPT)
    draft.unlink()

    with pytest.raises(StorageUnavailable):
        shelf.place(draft, "a")

    assert list((tmp_path / "content").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format":0}', b'{"format":1,"url":"https://example.org/a"}'])
def test_a_bad_file_stops_the_start_and_is_left_as_it_is(shelf: Shelf, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "content" / "a.json"
    path.write_bytes(content)

    with pytest.raises(StartError, match=r"a.json is damaged .* remove it"):
        shelf.load(ROW)

    assert path.read_bytes() == content
