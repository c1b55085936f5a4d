"""backup and restore: a hub taken away as a file, and brought back."""

from __future__ import annotations

import http.server
import io
import os
import re
import shutil
import tarfile
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

import cli as client
from tests.builders import TOKEN
from tests.cli.conftest import answering
from tests.deploy.rendering import K8S, containers, rendered

if TYPE_CHECKING:
    from pathlib import Path

    from shared.settings import Settings
    from tests.cli.conftest import Shell


def test_what_a_hub_knew_is_there_after_a_restore(federation: Shell, settings: Settings, tmp_path: Path) -> None:
    known = federation.good("hub", "list", "--json").json

    taken = federation.good("backup", "--out", "hub.tar")
    back = federation.good("restore", "hub.tar", "--data-dir", str(tmp_path / "fresh"))

    assert ("hub.tar: " in taken.out, "2 registrations" in taken.out) == (True, True)
    assert back.out.startswith(f"{tmp_path / 'fresh'}: 2 registrations, as of 20")
    (tmp_path / "fresh").rename(settings.data_dir.with_name("again"))
    argv = ("--data-dir", str(settings.data_dir.with_name("again")), "--out", "b.tar")
    stopped = federation.good("backup", *argv, "--json")
    assert stopped.json["registrations"] == len(known["repos"]) == 2


def test_a_folder_gets_a_file_by_the_time_and_keeps_the_newest(federation: Shell) -> None:
    folder = federation.folder / "backups"
    folder.mkdir()
    old = [folder / f"reuse-surface-2026010{day}T000000Z.tar" for day in (1, 2, 3)]
    for path in (*old, folder / "notes.txt"):
        path.write_bytes(b"")

    ran = federation.good("backup", "--out", "backups/", "--keep", "2", "--json").json

    assert ran["removed"] == [old[0].name, old[1].name]
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 3
    assert {"notes.txt", old[2].name, ran["out"].removeprefix("backups/")} == set(names)


def test_what_was_removed_is_named(federation: Shell) -> None:
    old = federation.folder / "backups" / "reuse-surface-20260101T000000Z.tar"
    old.parent.mkdir()
    old.write_bytes(b"")

    first, *more = federation.good("backup", "--out", "backups/", "--keep", "1").out.splitlines()

    assert re.fullmatch(r"backups/reuse-surface-.*\.tar: [0-9,]+ bytes, 2 registrations, serial \d+", first)
    assert more == [f"backups/{old.name}: removed"]


def test_an_old_backup_that_can_not_be_removed_is_named_and_the_new_one_is_there(federation: Shell) -> None:
    stays = federation.folder / "backups" / "reuse-surface-20260101T000000Z.tar"
    stays.mkdir(parents=True)

    ran = federation("backup", "--out", "backups/", "--keep", "1")

    assert (ran.code, ran.out) == (1, "")
    expected = f"reuse-surface: The new backup is written; of the older ones backups/{stays.name} can't be removed: "
    assert ran.err.startswith(expected)
    assert len(list(stays.parent.iterdir())) == 2


def test_the_new_backup_stays_though_a_clock_that_was_ahead_named_others(federation: Shell) -> None:
    ahead = [federation.folder / "backups" / f"reuse-surface-{year}0101T000000Z.tar" for year in (2998, 2999)]
    ahead[0].parent.mkdir()
    for path in ahead:
        path.write_bytes(b"")

    ran = federation.good("backup", "--out", "backups/", "--keep", "2", "--json").json
    new = ran["out"].removeprefix("backups/")

    assert ran["removed"] == [ahead[0].name]
    assert client.thin_out(str(ahead[0].parent), new, 1) == [ahead[1].name]
    assert [path.name for path in ahead[0].parent.iterdir()] == [new]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.GNUTYPE_SPARSE], ids=["link to itself", "sparse"])
def test_a_backup_that_would_never_be_read_to_its_end_did_not_arrive(kind: bytes) -> None:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        member = tarfile.TarInfo("backup.json")
        member.type, member.linkname = kind, "backup.json"
        tar.addfile(member)
    sparse = bytearray(content.getvalue())
    if kind == tarfile.GNUTYPE_SPARSE:  # its real size: 8 GiB, more than the octal digits of a plain one
        sparse[483:495] = b"77777777777\0"
        sparse[148:156] = b" " * 8
        sparse[148:156] = b"%06o\0 " % sum(sparse[:512])

    with pytest.raises(client.Failure, match="did not arrive whole; nothing was written"):
        client._backed_up(bytes(sparse))


def test_what_another_one_removed_at_the_same_time_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"reuse-surface-2026010{day}T000000Z.tar" for day in (1, 2, 3)]
    for name in names[1:]:
        (tmp_path / name).write_bytes(b"")
    monkeypatch.setattr(os, "listdir", lambda _: names)

    assert client.thin_out(str(tmp_path), names[2], 1) == [names[1]]


def test_a_folder_that_can_not_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(client.Failure, match="can't be listed: Permission denied"):
        client.thin_out(str(tmp_path), "new", 1)


@pytest.fixture
def old(tmp_path: Path) -> list[Path]:
    """Four backups of 100 kB, the oldest first."""
    paths = [tmp_path / f"reuse-surface-2026010{day}T000000Z.tar" for day in (1, 2, 3, 4)]
    for path in paths:
        path.write_bytes(b"x" * 100_000)
    return paths


@pytest.mark.parametrize(
    ("free", "removed"),
    [(300_000, 0), (200_000, 1), (0, 3), (-100_000, 0)],
    ids=["there is room", "one is enough", "all but the newest", "something else fills it"],
)
def test_on_a_full_volume_the_oldest_make_room_but_not_the_newest_and_not_for_nothing(
    tmp_path: Path, old: list[Path], monkeypatch: pytest.MonkeyPatch, free: int, removed: int
) -> None:
    (tmp_path / "notes.txt").write_bytes(b"x" * 100_000)
    # What a file system takes for the file itself is beside this.
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free + client.ROOM))

    names = client.make_room(str(tmp_path), 300_000)

    assert names == [path.name for path in old[:removed]]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "notes.txt", *old[removed:]]


def test_backups_that_can_not_make_room_are_told(
    tmp_path: Path, old: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(client.Failure, match="has no room for the new backup, and can't be given any: Permission"):
        client.make_room(str(tmp_path), 100_000)

    assert all(path.exists() for path in old)


@pytest.mark.parametrize("argv", [("--keep", "3"), ("--keep", "0", "--out", "x/")], ids=["no folder", "nothing kept"])
def test_keeping_needs_a_folder_and_a_number(cli: Shell, argv: tuple[str, ...]) -> None:
    ran = cli("backup", "--out", "hub.tar", *argv)

    assert ran.code == 2
    assert not list(cli.folder.iterdir())


@pytest.mark.parametrize(("token", "said"), [("", "is not set"), ("another-token-of-nobody", "not one of")])
def test_it_needs_a_token(cli: Shell, token: str, said: str) -> None:
    ran = cli("backup", "--out", "hub.tar", REUSE_SURFACE_TOKEN=token)

    assert (ran.code, ran.out) == (4, "")
    assert said in ran.err
    assert not list(cli.folder.iterdir())


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [("application/x-tar", b"half a tar", "did not arrive whole"), ("application/x-zip", b"x", "not JSON of a hub")],
    ids=["cut off", "something else"],
)
def test_what_is_no_backup_is_not_written(alone: Shell, kind: str, body: bytes, said: str) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if kind == "application/x-tar" else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with answering(Handler) as url:
        ran = alone("backup", "--out", "hub.tar", REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)

    assert ran.code == 3
    assert said in ran.err
    assert not list(alone.folder.iterdir())


def test_a_good_answer_that_is_no_tar_is_no_backup(alone: Shell) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with answering(Handler) as url:
        ran = alone("backup", "--out", "hub.tar", REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)

    assert (ran.code, "something else than a backup" in ran.err) == (3, True)


def test_a_tar_of_something_else_is_no_backup() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("a.json", "b.json"):
            about = tarfile.TarInfo(name)
            about.size = 2
            tar.addfile(about, io.BytesIO(b"{}"))

    with pytest.raises(client.Failure, match="did not arrive whole"):
        client._backed_up(out.getvalue())


def test_a_restore_refuses_what_is_not_empty_and_what_is_no_backup(alone: Shell) -> None:
    (alone.folder / "hub.tar").write_bytes(b"no tar")
    (alone.folder / "data").mkdir()
    (alone.folder / "data" / "mine").write_bytes(b"x")

    full = alone("restore", "hub.tar", "--data-dir", "data")
    bad = alone("restore", "hub.tar", "--data-dir", "fresh")
    none = alone("backup", "--data-dir", "fresh", "--out", "x.tar")

    assert (full.code, "is not empty" in full.err) == (1, True)
    assert (bad.code, "damaged" in bad.err) == (1, True)
    assert (none.code, "holds nothing of a hub" in none.err) == (1, True)
    assert (alone.folder / "data" / "mine").read_bytes() == b"x"


def test_the_job_of_the_cluster_types_what_the_client_knows(federation: Shell) -> None:
    (job,) = (one for one in containers(rendered(K8S / "base")) if one["name"] == "backup")
    (federation.folder / "backup").mkdir()
    given = {"http://reuse-surface:8080": federation.environ["REUSE_SURFACE_URL"], "/backup/": "backup/"}
    argv = [given.get(part, part) for part in job["command"][1:]]

    assert federation.good(*argv).out.startswith("backup/reuse-surface-20")
