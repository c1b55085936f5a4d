from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.fetch import Validators
from shared.formats.capability_index import read_index
from shared.model.registration import Registration
from shared.model.stored_content import ServedIds, StoredContent
from shared.problems import StartError, StorageUnavailable
from shared.storage.files.contents import ContentFolder
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
VALIDATORS = Validators('"1"', "Mon")
KEPT = StoredContent(URL, VALIDATORS, "2026-11-23T10:00:00Z", CONTENT, ROW.registered_at, PAST, "sha256:0")


@pytest.fixture
def folder(tmp_path: Path) -> ContentFolder:
    (tmp_path / "content").mkdir()
    return ContentFolder(tmp_path / "content")


def keep(folder: ContentFolder, kept: StoredContent = KEPT) -> None:
    folder.place(folder.draft("a", kept), "a")
    folder.sync()


def test_gives_back_what_was_kept(folder: ContentFolder, tmp_path: Path) -> None:
    keep(folder)

    assert ContentFolder(tmp_path / "content").load(ROW) == KEPT


@pytest.mark.parametrize("call", ["open", "fsync"])
def test_a_folder_that_can_not_be_synced_is_a_volume_that_refuses(
    folder: ContentFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    folder.place(folder.draft("a", KEPT), "a")
    monkeypatch.setattr(os, call, refuse)

    with pytest.raises(StorageUnavailable) as refusal:
        folder.sync()

    assert refusal.value.answer_status == 507
    assert "the volume refused a change: [Errno 28] No space left on device" in caplog.text


def test_a_draft_that_can_not_be_removed_stops_nothing(
    folder: ContentFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    draft = folder.draft("a", KEPT)
    monkeypatch.setattr(os, "unlink", refuse)

    folder.discard(draft)

    assert f"{draft} could not be removed" in caplog.text


def test_knows_nothing_of_another_registration_or_repo(folder: ContentFolder) -> None:
    keep(folder)

    assert folder.load(replace(ROW, revision=9, url="https://example.org/moved")) == KEPT
    assert folder.load(replace(ROW, registered_at="2026-11-23T09:00:00.000002Z")) is None
    assert folder.load(replace(ROW, repo="b")) is None


def test_registrations_that_a_standing_clock_dates_alike_are_told_apart_by_their_number(folder: ContentFolder) -> None:
    keep(folder, replace(KEPT, sequence=4))

    assert folder.load(replace(ROW, sequence=4)) == replace(KEPT, sequence=4)
    assert folder.load(replace(ROW, sequence=5)) is None


def test_takes_what_a_version_before_kept_by_its_url(folder: ContentFolder, tmp_path: Path) -> None:
    head = {"format": 1, "url": URL, "validators": ['"1"', "Mon", ""], "changed_at": "2026-11-23T10:00:00Z"}
    whole = json.dumps(head)[:-1].encode() + b',"index":' + CONTENT.document() + b"}"
    (tmp_path / "content" / "a.json").write_bytes(whole)

    assert folder.load(ROW) == StoredContent(URL, KEPT.validators, KEPT.changed_at, CONTENT)
    assert folder.load(replace(ROW, url="https://example.org/moved")) is None


def test_content_that_is_not_what_was_written_stops_the_start(folder: ContentFolder, tmp_path: Path) -> None:
    keep(folder)
    path = tmp_path / "content" / "a.json"
    path.write_bytes(path.read_bytes().replace(b"Example 2", b"Example 3"))

    with pytest.raises(StartError, match=r"a.json is damaged .* remove it"):
        folder.load(ROW)


def test_forgets(folder: ContentFolder, tmp_path: Path) -> None:
    keep(folder)

    folder.drop("a")
    folder.drop("a")

    assert list((tmp_path / "content").iterdir()) == []


def test_drops_what_no_registration_stands_behind_and_drafts(folder: ContentFolder, tmp_path: Path) -> None:
    keep(folder)
    folder.draft("a", KEPT)
    (tmp_path / "content" / "gone.json").write_text("{}")

    folder.tidy({"a"})

    assert [path.name for path in (tmp_path / "content").iterdir()] == ["a.json"]


def test_a_folder_that_can_not_be_listed_keeps_what_it_holds_for_the_next_start(
    folder: ContentFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep(folder)

    def refuse(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as broken:
        for call in ("listdir", "scandir"):
            broken.setattr(os, call, refuse)
        folder.tidy(set())

    assert "content can't be listed, the next start tries again: Input/output error" in caplog.text
    assert folder.load(ROW) == KEPT


def test_a_folder_that_can_not_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "content").write_bytes(b"")

    with pytest.raises(StartError, match=r"content can't be used: File exists"):
        ContentFolder(tmp_path / "content").make()


def test_a_draft_that_does_not_count_is_forgotten(folder: ContentFolder, tmp_path: Path) -> None:
    folder.discard(folder.draft("a", KEPT))
    folder.discard(None)

    assert list((tmp_path / "content").iterdir()) == []


def test_a_draft_whose_place_is_gone_is_told(folder: ContentFolder, tmp_path: Path) -> None:
    draft = folder.draft("a", KEPT)
    draft.unlink()

    with pytest.raises(StorageUnavailable):
        folder.place(draft, "a")

    assert list((tmp_path / "content").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format":0}', b'{"format":1,"url":"https://example.org/a"}'])
def test_a_bad_file_stops_the_start_and_is_left_as_it_is(folder: ContentFolder, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "content" / "a.json"
    path.write_bytes(content)

    with pytest.raises(StartError, match=r"a.json is damaged .* remove it"):
        folder.load(ROW)

    assert path.read_bytes() == content
