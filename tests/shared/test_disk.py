from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared import disk as files
from shared.disk import (
    content_of,
    damaged,
    keep_aside,
    parsed,
    rename,
    storage_problem,
    sync_folder,
    trusted,
    write_all,
    write_draft,
    write_whole,
)
from shared.problems import StartError, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the module does to files, in order, by the names of the files."""
    noted: list[str] = []

    def noting(name: str, real: Callable[..., Any], about: Callable[..., str]) -> Callable[..., Any]:
        def note(*given: Any, **named: Any) -> Any:
            noted.append(f"{name} {about(*given)}")
            return real(*given, **named)

        return note

    def opened(handle: int) -> str:
        return Path(f"/proc/self/fd/{handle}").readlink().name

    def moved(old: Any, new: Any) -> str:
        return f"{Path(old).name} -> {Path(new).name}"

    monkeypatch.setattr(os, "fsync", noting("fsync", os.fsync, opened))
    monkeypatch.setattr(os, "replace", noting("rename", os.replace, moved))
    monkeypatch.setattr(os, "link", noting("link", os.link, moved))
    return noted


def failing(number: int) -> Callable[..., Any]:
    """Return a system call that fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(entry.name for entry in folder.iterdir())


def test_writes_a_draft_syncs_it_renames_it_and_syncs_the_folder(tmp_path: Path, steps: list[str]) -> None:
    write_whole(tmp_path / "a.json", b"new")

    assert steps == ["fsync .draft-a.json", "rename .draft-a.json -> a.json", f"fsync {tmp_path.name}"]
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert names(tmp_path) == ["a.json"]


def test_keeps_the_previous_generation_before_the_new_one_takes_its_place(tmp_path: Path, steps: list[str]) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"one", keep_previous=True)
    assert names(tmp_path) == ["a.json"]
    write_whole(path, b"two", keep_previous=True)
    steps.clear()
    write_whole(path, b"three", keep_previous=True)

    assert steps == [
        "fsync .draft-a.json",
        "link a.json -> .draft-a.json.prev",
        "rename .draft-a.json.prev -> a.json.prev",
        "rename .draft-a.json -> a.json",
        f"fsync {tmp_path.name}",
    ]
    assert (path.read_bytes(), (tmp_path / "a.json.prev").read_bytes()) == (b"three", b"two")
    assert names(tmp_path) == ["a.json", "a.json.prev"]


def test_a_file_is_for_the_hub_only(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", b"new")

    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o600


def test_a_draft_of_a_crash_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".draft-a.json").write_bytes(b"left by a crash, and longer")
    (tmp_path / ".draft-a.json.prev").write_bytes(b"left by a crash")
    (tmp_path / "a.json").write_bytes(b"old")

    write_whole(tmp_path / "a.json", b"new", keep_previous=True)

    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert names(tmp_path) == ["a.json", "a.json.prev"]


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "status"),
    [
        pytest.param(errno.ENOSPC, 507, id="a full volume"),
        pytest.param(errno.EDQUOT, 507, id="a used up quota"),
        pytest.param(errno.EFBIG, 507, id="a file too large"),
        pytest.param(errno.EIO, 503, id="a broken disk"),
        pytest.param(errno.EROFS, 503, id="a read-only volume"),
    ],
)
def test_a_volume_that_refuses_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, status: int
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, call, failing(number))

    with pytest.raises(StorageUnavailable) as raised:
        write_whole(path, b"new", keep_previous=True)

    monkeypatch.undo()
    assert raised.value.answer_status == status
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.json"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.EIO])
def test_on_a_volume_without_hard_links_the_previous_generation_is_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "a.json"
    monkeypatch.setattr(os, "link", failing(number))
    for content in (b"one", b"two", b"three"):
        write_whole(path, content, keep_previous=True)

    assert (path.read_bytes(), (tmp_path / "a.json.prev").read_bytes()) == (b"three", b"two")
    assert names(tmp_path) == ["a.json", "a.json.prev"]


def test_a_previous_generation_that_can_not_be_kept_refuses_no_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    real = os.replace

    def replace(old: Path, new: Path) -> None:
        if Path(new).name.endswith(".prev"):
            raise OSError(errno.EIO, "broken")
        real(old, new)

    monkeypatch.setattr(os, "replace", replace)
    write_whole(path, b"new", keep_previous=True)

    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["a.json"]
    assert "no previous generation of" in caplog.text


@pytest.fixture
def unconfirmed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume that does not confirm the names of files."""
    real = os.fsync

    def fail_for_folders(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink() == tmp_path:
            raise OSError(errno.EIO, "")
        real(handle)

    monkeypatch.setattr(os, "fsync", fail_for_folders)


@pytest.mark.usefixtures("unconfirmed")
@pytest.mark.parametrize("keep", [True, False], ids=["with a previous generation", "without"])
@pytest.mark.parametrize("before", [b"old", None], ids=["there was a file", "there was none"])
def test_a_rename_that_is_not_confirmed_is_taken_back_and_the_answer_says_what_may_come(
    tmp_path: Path, before: bytes | None, keep: bool
) -> None:
    path = tmp_path / "a.json"
    if before:
        path.write_bytes(before)

    with pytest.raises(StorageUnavailable, match=r"did not confirm.* a power failure may bring it back") as raised:
        write_whole(path, b"new", keep_previous=keep)

    assert raised.value.in_doubt
    assert "Nothing was changed" not in raised.value.detail
    assert (path.read_bytes() if path.exists() else None) == before


@pytest.mark.usefixtures("unconfirmed")
def test_the_old_content_is_synced_before_it_takes_its_name_back(tmp_path: Path, steps: list[str]) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")

    with pytest.raises(StorageUnavailable):
        write_whole(path, b"new")

    assert steps[-2:] == ["fsync .draft-a.json", "rename .draft-a.json -> a.json"]


@pytest.mark.usefixtures("unconfirmed")
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), MemoryError()], ids=["full", "no memory"])
def test_where_the_old_content_can_not_be_put_back_the_answer_says_that_a_restart_brings_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    real = files.write_all

    def refuse_the_old(file: Any, content: bytes) -> None:
        if content == b"old":
            raise fault
        real(file, content)

    monkeypatch.setattr(files, "write_all", refuse_the_old)
    with pytest.raises(StorageUnavailable, match="a restart may bring it back"):
        write_whole(path, b"new")

    assert path.read_bytes() == b"new"


def test_a_draft_that_fails_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))

    with pytest.raises(StorageUnavailable):
        write_draft(tmp_path / "draft", b"new")

    assert names(tmp_path) == []


def test_a_draft_takes_the_place_of_a_file(tmp_path: Path) -> None:
    write_draft(tmp_path / "draft", b"new")
    (tmp_path / "a").write_bytes(b"old")

    rename(tmp_path / "draft", tmp_path / "a")

    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_a_rename_that_fails_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    write_draft(tmp_path / "draft", b"new")
    (tmp_path / "a").mkdir()

    with pytest.raises(StorageUnavailable):
        rename(tmp_path / "draft", tmp_path / "a")

    assert names(tmp_path) == ["a"]


def test_writes_on_where_a_call_took_less_than_all() -> None:
    class Slow(io.BytesIO):
        def write(self, content: Any, /) -> int:
            return super().write(bytes(content[:3]))

    file = Slow()
    write_all(file, b"ten bytes!")

    assert file.getvalue() == b"ten bytes!"


def test_a_folder_is_let_go_when_it_can_not_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []
    real = os.close

    def close(handle: int) -> None:
        closed.append(handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    monkeypatch.setattr(os, "close", close)

    with pytest.raises(OSError, match="Input/output"):
        sync_folder(tmp_path)

    assert len(closed) == 1


def test_a_problem_of_storage_says_that_nothing_was_changed() -> None:
    assert "full" in storage_problem(OSError(errno.ENOSPC, "")).detail
    assert "can't write" in storage_problem(OSError(errno.EIO, "")).detail


@pytest.mark.parametrize("error", [errno.EMFILE, errno.ENFILE])
def test_where_the_process_has_no_handle_left_the_volume_is_not_blamed(error: int) -> None:
    problem = storage_problem(OSError(error, ""))

    assert problem.detail == "The hub may open no more files at present. Nothing was changed; try again later."
    assert (problem.answer_status, problem.cause) == (503, "the hub may open no more files at present")


def test_what_a_file_holds_is_none_only_where_nothing_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert content_of(path, "Mend it.") is None
    path.write_bytes(b"{}")
    assert content_of(path, "Mend it.") == b"{}"

    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "nowhere").symlink_to("not-mounted/a.json")
    with pytest.raises(StartError, match=r"circle can't be read: Too many levels of symbolic links.*Mend it"):
        content_of(tmp_path / "circle", "Mend it.")
    with pytest.raises(StartError, match=r"nowhere can't be read: No such file or directory.*Mend it"):
        content_of(tmp_path / "nowhere", "Mend it.")


def test_a_damaged_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    fault = damaged(tmp_path / "a.json", "is odd", "Mend it.")

    assert str(fault) == f"{tmp_path / 'a.json'} is odd. It was left untouched. Mend it."


@pytest.mark.parametrize("fault", [ValueError("x"), TypeError("x"), KeyError("x"), AttributeError("x")])
def test_what_does_not_hold_together_stops_the_start(tmp_path: Path, fault: Exception) -> None:
    with pytest.raises(StartError, match=f"a.json is damaged .*{type(fault).__name__}.*Mend it"):
        _fail_within(tmp_path / "a.json", fault)


def test_what_can_not_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"a.json can't be read: Is a directory"):
        _fail_within(tmp_path / "a.json", IsADirectoryError(errno.EISDIR, "Is a directory"))


def _fail_within(path: Path, fault: Exception) -> None:
    with trusted(path, "Mend it."):
        raise fault


def test_reads_a_document_of_its_format() -> None:
    assert parsed(b'{"format": 2, "a": 1}', 2) == {"format": 2, "a": 1}


@pytest.mark.parametrize("content", [b'{"format": 1}', b"{}", b"[]", b"null", b"", b'{"format": 2'])
def test_a_document_of_another_format_is_not_trusted(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(StartError, match="damaged"), trusted(tmp_path, ""):
        parsed(content, 2)


def test_a_newer_format_says_so_and_that_a_backup_is_the_way_back(tmp_path: Path) -> None:
    path = tmp_path / "sources.json"
    path.write_bytes(b'{"format": 3}')

    with pytest.raises(StartError, match=r"in format 3; .* up to 2\. .* restore a backup"), trusted(path, "Remove it."):
        parsed(path.read_bytes(), 2)

    assert path.read_bytes() == b'{"format": 3}'


def test_what_is_kept_aside_stays_when_the_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    for content in (b"one", b"two"):
        write_whole(path, content)
        keep_aside(path, ".old")
        write_whole(path, b"three")
        assert (path.with_name("a.json.old").read_bytes(), path.read_bytes()) == (content, b"three")
