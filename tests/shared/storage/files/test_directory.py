from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.problems import StartError
from shared.storage.files.directory import DataDirectory, reading

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[4]
HOLD = (
    "import pathlib, sys; from shared.storage.files.directory import DataDirectory; "
    "held = DataDirectory(pathlib.Path(sys.argv[1])); "
)


def tried(folder: Path) -> None:
    """Take *folder*, try its volume, and let go of it."""
    with contextlib.closing(DataDirectory(folder)) as directory:
        directory.try_volume()


def failing(number: int) -> Callable[..., Any]:
    """Return a system call that fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_data_directory_is_made_where_it_is_missing(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "some" / "data")

    assert directory.path == tmp_path / "some" / "data"
    assert directory.path.stat().st_mode & 0o777 == 0o700
    directory.close()


def test_a_data_directory_is_held_once(tmp_path: Path) -> None:
    holder = DataDirectory(tmp_path)

    with pytest.raises(StartError, match=f"Another process holds the data directory {tmp_path}[.]"):
        DataDirectory(tmp_path)

    holder.close()
    DataDirectory(tmp_path).close()


def test_a_data_directory_is_held_against_other_processes_until_its_holder_ends(tmp_path: Path) -> None:
    program = [sys.executable, "-c", HOLD + "print('held', flush=True); sys.stdin.read()", str(tmp_path)]
    with subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        with pytest.raises(StartError, match=str(tmp_path)):
            DataDirectory(tmp_path)

        other.kill()
        other.wait()
        DataDirectory(tmp_path).close()


def test_while_one_reads_others_may_read_and_no_hub_starts(tmp_path: Path) -> None:
    DataDirectory(tmp_path).close()

    with reading(tmp_path), reading(tmp_path), pytest.raises(StartError, match="Another process holds"):
        DataDirectory(tmp_path)

    DataDirectory(tmp_path).close()


def test_a_folder_that_a_hub_holds_is_not_read(tmp_path: Path) -> None:
    with (
        contextlib.closing(DataDirectory(tmp_path)),
        pytest.raises(StartError, match=f"Another process holds the data directory {tmp_path}[.]"),
        reading(tmp_path),
    ):
        pytest.fail("it was read")


def test_a_folder_on_a_read_only_volume_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DataDirectory(tmp_path).close()
    real = Path.open

    def read_only(path: Path, mode: str = "r") -> Any:
        if mode != "rb":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, mode)

    monkeypatch.setattr(Path, "open", read_only)
    with reading(tmp_path):
        pass
    with pytest.raises(StartError, match="can't be used: Read-only file system"):
        DataDirectory(tmp_path)


def test_reading_a_folder_without_a_lock_makes_none_and_notices_a_hub_that_starts(tmp_path: Path) -> None:
    with reading(tmp_path):
        assert list(tmp_path.iterdir()) == []

    with pytest.raises(StartError, match=f"A hub was started on {tmp_path} while it was read"), reading(tmp_path):
        DataDirectory(tmp_path).close()


def test_a_lock_that_can_not_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "hub.lock").mkdir()

    with pytest.raises(StartError, match="can't be used: Is a directory"), reading(tmp_path):
        pytest.fail("it was read")


def test_a_data_directory_that_is_a_file_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"mine")

    with pytest.raises(StartError, match=f"The data directory {tmp_path}/data can't be used: File exists"):
        DataDirectory(tmp_path / "data")

    assert (tmp_path / "data").read_bytes() == b"mine"


def fails_for_folders(number: int) -> Callable[[int], None]:
    """Return an fsync that files have and folders have not."""
    real = os.fsync

    def fsync(handle: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().is_dir():
            raise OSError(number, os.strerror(number))
        real(handle)

    return fsync


@pytest.mark.parametrize(
    ("module", "call", "says"),
    [
        pytest.param(fcntl, "flock", "lock files", id="locks"),
        pytest.param(os, "fsync", "sync files", id="sync of a file"),
        pytest.param(os, "replace", "rename one file over another", id="rename"),
    ],
)
def test_a_volume_that_lacks_what_writes_need_stops_the_start_and_says_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, call: str, says: str
) -> None:
    with monkeypatch.context() as odd:
        odd.setattr(module, call, failing(errno.EOPNOTSUPP))
        with pytest.raises(StartError, match=f"data directory {tmp_path} can't {says}.*local file system") as refusal:
            tried(tmp_path)

    assert "Another process" not in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == ["hub.lock"]
    tried(tmp_path)


def test_a_volume_that_does_not_sync_folders_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", fails_for_folders(errno.EINVAL))

    with pytest.raises(StartError, match=r"can't sync a folder \(fsync\): Invalid argument"):
        tried(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_what_may_pass_does_not_keep_the_hub_from_serving_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as full:
        full.setattr(os, "open", failing(number))
        tried(tmp_path)

    assert "could not be tried out: it does not write files" in caplog.text


def test_a_volume_without_hard_links_is_good_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", failing(errno.EPERM))

    tried(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["hub.lock"]
