from __future__ import annotations

import errno
import io
import json
import os
import shutil
import tarfile
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from shared.problems import StartError, StorageUnavailable
from shared.storage.archive import FIRST, LAST, Description
from shared.storage.files.snapshot import FilesSnapshot, must_be_whole, sweep

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-11-23T10:00:00Z"
ABOUT = Description(AT, 1, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a data directory."""
    (tmp_path / "content").mkdir()
    for name, content in {
        "registrations.json": b"{}",
        "registrations.json.prev": b"{old}",
        "history.jsonl": b"head\nline\n",
        "hub.lock": b"",
        ".draft-federated.json": b"{half",
        "content/a.json": b"x" * 600_000,
        "content/.a-1": b"draft",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def members(backup: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(backup), mode="r|") as tar:
        return {one.name: (tar.extractfile(one) or io.BytesIO()).read() for one in tar}


def taken(folder: Path, serial: int = 1, *, linked: bool = True) -> bytes:
    snapshot = FilesSnapshot(folder, Description(AT, serial, 0), linked=linked)
    try:
        return b"".join(snapshot.stream())
    finally:
        snapshot.close()


def test_what_is_dropped_while_it_is_taken_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def dropping(source: Path, *others: Path) -> None:
        if source.name == "a.json":
            source.unlink()
        link(source, *others)

    monkeypatch.setattr(os, "link", dropping)

    assert list(members(taken(folder))) == [FIRST, "history.jsonl", "registrations.json", LAST]


def test_gives_its_links_back_whatever_stops_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(os, "link", fail)

    with pytest.raises(MemoryError):
        FilesSnapshot(folder, ABOUT)
    assert sorted(folder.rglob("*")) == before


def test_holds_every_file_that_counts_between_what_it_is_and_the_sums(folder: Path) -> None:
    found = members(taken(folder, serial=7))

    assert list(found) == [FIRST, "content/a.json", "history.jsonl", "registrations.json", LAST]
    about = json.loads(found[FIRST])
    assert (about["kind"], about["format"], about["made_at"], about["serial"]) == ("reuse-surface backup", 1, AT, 7)
    assert found["content/a.json"] == b"x" * 600_000
    assert json.loads(found[LAST])["history.jsonl"]["bytes"] == 10


def test_is_of_its_moment_whatever_is_written_while_it_is_sent(folder: Path) -> None:
    snapshot = FilesSnapshot(folder, ABOUT)
    (folder / "new").write_bytes(b"new")
    (folder / "new").rename(folder / "registrations.json")
    with (folder / "history.jsonl").open("ab") as history:
        history.write(b"another line\n")
    (folder / "content/a.json").unlink()

    found = members(b"".join(snapshot.stream()))
    snapshot.close()

    assert (found["registrations.json"], found["history.jsonl"]) == (b"{}", b"head\nline\n")
    assert len(found["content/a.json"]) == 600_000


@pytest.mark.parametrize("linked", [True, False])
def test_leaves_nothing_behind(folder: Path, *, linked: bool) -> None:
    before = sorted(folder.rglob("*"))

    assert members(taken(folder, linked=linked)).keys() == members(taken(folder)).keys()

    assert sorted(folder.rglob("*")) == before


def test_on_a_volume_without_hard_links_it_holds_copies_of_its_moment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "")

    monkeypatch.setattr(os, "link", refuse)
    snapshot = FilesSnapshot(folder, ABOUT)
    with (folder / "history.jsonl").open("ab") as history:
        history.write(b"another line\n")

    found = members(b"".join(snapshot.stream()))
    snapshot.close()

    assert found["history.jsonl"] == b"head\nline\n"
    assert not list(folder.glob(".snapshot-*"))


@pytest.mark.parametrize("broken", [[(os, "mkdir")], [(os, "link"), (shutil, "copyfile")]], ids=["folder", "files"])
def test_a_volume_that_refuses_it_is_told_and_left_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken: list[tuple[Any, str]]
) -> None:
    before = sorted(folder.rglob("*"))

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "")

    with monkeypatch.context() as full:
        for module, call in broken:
            full.setattr(module, call, fail)
        with pytest.raises(StorageUnavailable):
            FilesSnapshot(folder, ABOUT)

    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("error", [errno.EACCES, errno.EMFILE, errno.EIO], ids=errno.errorcode.get)
def test_a_folder_that_can_not_be_listed_is_no_backup_without_its_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    real = os.scandir

    def fail(path: Path) -> Any:
        if str(path).endswith("content"):
            raise OSError(error, os.strerror(error), str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(StorageUnavailable):
        FilesSnapshot(folder, ABOUT)

    monkeypatch.undo()
    assert not list(folder.glob(".snapshot-*"))


def test_what_no_hub_calls_a_file_is_left_out_because_a_restore_would_refuse_it(folder: Path) -> None:
    (folder / "lost+found").mkdir()
    for name in ("lost+found/#12", "NOTES", "notes 2.txt", "registrations.json~", "content/A.json"):
        (folder / name).write_bytes(b"")

    names = list(members(taken(folder)))

    assert names == [FIRST, "content/a.json", "history.jsonl", "registrations.json", LAST]


def test_a_folder_that_lies_elsewhere_is_part_of_it(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("larger") / "content"
    (folder / "content").rename(elsewhere)
    (folder / "content").symlink_to(elsewhere)

    assert members(taken(folder))["content/a.json"] == b"x" * 600_000


def test_without_handles_it_says_that_there_are_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path) -> Any:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    monkeypatch.setattr(os, "scandir", fail)
    with pytest.raises(StorageUnavailable) as caught:
        FilesSnapshot(folder, ABOUT)

    says = "The hub may open no more files at present. Nothing was changed; try again later."
    assert (caught.value.detail, caught.value.answer_status) == (says, 503)


def test_a_folder_that_can_not_be_swept_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".restoring-x").mkdir()

    def fail(path: Path) -> Any:
        raise OSError(errno.EACCES, "Permission denied", str(path))

    for call in ("listdir", "scandir"):
        monkeypatch.setattr(os, call, fail)
    with pytest.raises(StartError, match=r"can't be listed: Permission denied"):
        must_be_whole(tmp_path)


def test_what_a_crash_left_of_one_is_swept_and_a_restore_that_did_not_end_stops_the_start(folder: Path) -> None:
    FilesSnapshot(folder, ABOUT)
    assert list(folder.glob(".snapshot-*"))

    sweep(folder)

    assert not list(folder.glob(".snapshot-*"))
    (folder / ".restoring-x").mkdir()
    with pytest.raises(StartError, match="did not end"):
        must_be_whole(folder)


def test_a_file_that_became_shorter_ends_the_backup_with_an_error(folder: Path) -> None:
    snapshot = FilesSnapshot(folder, ABOUT)
    os.truncate(folder / "content" / "a.json", 300_000)  # a hard link shares the bytes
    with pytest.raises(OSError, match=r"a\.json became shorter while it was backed up: 300000 bytes are missing"):
        list(islice(snapshot.stream(), 100))
    snapshot.close()


def test_a_folder_that_can_not_be_listed_is_swept_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left = tmp_path / ".snapshot-x"
    left.mkdir()

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as refusing:
        # Which of them lists a folder depends on the version of Python.
        refusing.setattr(os, "listdir", refuse)
        refusing.setattr(os, "scandir", refuse)
        sweep(tmp_path)
    assert left.exists()
    assert f"{tmp_path} can't be listed, the next start tries again: Input/output error" in caplog.text

    sweep(tmp_path)

    assert not left.exists()
