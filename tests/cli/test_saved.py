"""What --out leaves behind: all of a document or the old file, and nothing in the place of devices and pipes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import pty
import select
import subprocess
import sys
import tarfile
import threading
import tty
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import cli as client
from tests.builders import TOKEN
from tests.cli.conftest import CLI, KEPT, Shell, said, stand_in

if TYPE_CHECKING:
    import http.server

    from tests.cli.conftest import Behave, Publisher

OLD = "the copy of yesterday"
ETAG = '"the-tag-of-today"'


CAPABILITIES = [{"id": f"capability.n{one}", "name": "Record a decision", "source_repo": "a"} for one in range(9)]
CONFLICTS = [{"id": f"capability.n{one}", "repo": "a", "others": [{"repo": "b"}]} for one in range(2)]
SOURCES = [{"repo": "state-hub"}, {"repo": "b"}]
INDEX = {"version": 1, "serial": 9, "sources": SOURCES, "capabilities": CAPABILITIES, "conflicts": CONFLICTS}


def in_yaml(index: dict[str, Any]) -> bytes:
    """Return *index* as a hub writes it: each value as JSON on its line."""
    lines = []
    for name, value in index.items():
        rows = value if isinstance(value, list) else []
        lines.append(f'"{name}":' if rows else f'"{name}": {json.dumps(value)}')
        lines += ["- " + "\n  ".join(f'"{key}": {json.dumps(one)}' for key, one in row.items()) for row in rows]
    return "\n".join([*lines, ""]).encode()


@pytest.fixture
def documents() -> dict[str, bytes]:
    """A federated index with conflicts in both forms."""
    return {"json": json.dumps(INDEX).encode(), "yaml": in_yaml(INDEX)}


def raw(body: bytes, kind: str, *fields: str, status: int = 200) -> Behave:
    """Answer with exactly these fields and bytes, then close the connection."""

    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        fixed = [f"Content-Type: application/{kind}", f"ETag: {ETAG}", "Reuse-Surface-Serial: 9"]
        head = "\r\n".join([f"HTTP/1.1 {status} OK", *fixed, *fields, "", ""])
        handler.wfile.write(head.encode() + body)
        handler.close_connection = True

    return behave


def half(body: bytes) -> bytes:
    return body[: len(body) // 2]


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def damaged(packed: bytes) -> bytes:
    """Return gzip whose checksum is wrong."""
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


CUTS = {
    "half of the gzip": lambda body: (half(gzip.compress(body)), ["Content-Encoding: gzip"]),
    "a byte less of the gzip": lambda body: (gzip.compress(body)[:-1], ["Content-Encoding: gzip"]),
    "gzip of nothing": lambda _: (b"", ["Content-Encoding: gzip"]),
    "a length that fits half of the gzip": lambda body: (
        gzip.compress(body)[:99], ["Content-Encoding: gzip", "Content-Length: 99"]
    ),
    "a wrong checksum": lambda body: (damaged(gzip.compress(body)), ["Content-Encoding: gzip"]),
    "the first of two members and a half": lambda body: (
        gzip.compress(body[:500]) + gzip.compress(body[500:])[:-30], ["Content-Encoding: gzip"]
    ),
    "only the first of two members": lambda body: (gzip.compress(body[:500]), ["Content-Encoding: gzip"]),
    "members without end": lambda body: (gzip.compress(b"") * 11 + gzip.compress(body), ["Content-Encoding: gzip"]),
    "something else behind the gzip": lambda body: (gzip.compress(body) + b"<html>", ["Content-Encoding: gzip"]),
    "half as it is": lambda body: (half(body), []),
    "a byte less as it is": lambda body: (body.rstrip(b"\n")[:-1], []),
    "a length that fits the half": lambda body: (body[:700], ["Content-Length: 700"]),
    "a length that is not reached": lambda body: (body[:-1], [f"Content-Length: {len(body)}"]),
    "a chunk that is cut": lambda body: (half(chunked(body)), ["Transfer-Encoding: chunked"]),
    "chunks without the last": lambda body: (chunked(body)[:-5], ["Transfer-Encoding: chunked"]),
    "a coding that was not asked for": lambda body: (body, ["Content-Encoding: br"]),
    "characters that control a terminal": lambda body: (body.replace(b"state-hub", b"state-\x7fub"), []),
    "bytes that are no text": lambda body: (body.replace(b"state-hub", b"state-h\xff"), []),
}  # fmt: skip


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_part_of_the_index_never_replaces_a_good_file(
    alone: Shell, documents: dict[str, bytes], form: str, cut: Any
) -> None:
    body, fields = cut(documents[form])
    (alone.folder / "f").write_text(OLD)

    with stand_in(raw(body, form, *fields)) as (url, _):
        ran = alone("hub", "federated", "--format", form, "--out", "f", REUSE_SURFACE_URL=url)
        printed = alone("hub", "federated", "--format", form, REUSE_SURFACE_URL=url)

    assert (ran.code, ran.out) == (printed.code, printed.out) == (3, "")
    assert {one.name: one.read_text() for one in alone.folder.iterdir()} == {"f": OLD}


def test_yaml_that_ends_with_its_connection_between_two_conflicts_is_not_taken(
    alone: Shell, documents: dict[str, bytes]
) -> None:
    """Nothing in the text shows that a cut there took the other conflicts away."""
    body = documents["yaml"]
    with stand_in(raw(body, "yaml")) as (url, _):
        unmarked = alone("hub", "federated", "--format", "yaml", "--out", "f", REUSE_SURFACE_URL=url)
    with stand_in(raw(body, "yaml", f"Content-Length: {len(body)}")) as (url, _):
        marked = alone("hub", "federated", "--format", "yaml", "--out", "f", REUSE_SURFACE_URL=url)

    assert (unmarked.code, marked.code) == (3, 0)
    assert (alone.folder / "f").read_bytes() == body


WHOLE = {
    "as it is": lambda body: (body, [f"Content-Length: {len(body)}"]),
    "in chunks": lambda body: (chunked(body), ["Transfer-Encoding: chunked"]),
    "gzip": lambda body: (gzip.compress(body), ["Content-Encoding: gzip"]),
    "gzip by its old name": lambda body: (gzip.compress(body), ["Content-Encoding: x-gzip"]),
    "two members": lambda body: (gzip.compress(body[:500]) + gzip.compress(body[500:]), ["Content-Encoding: gzip"]),
    "zeros behind the gzip": lambda body: (gzip.compress(body) + bytes(512), ["Content-Encoding: GZIP"]),
    "as many members as are taken": lambda body: (
        b"".join(gzip.compress(body[start : start + len(body) // 9]) for start in range(0, len(body), len(body) // 9)),
        ["Content-Encoding: gzip"],
    ),
}


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("sent", WHOLE.values(), ids=WHOLE)
def test_a_whole_index_is_written_however_it_is_sent(
    alone: Shell, documents: dict[str, bytes], form: str, sent: Any
) -> None:
    body, fields = sent(documents[form])
    (alone.folder / "f").write_text(OLD)

    with stand_in(raw(body, form, *fields)) as (url, _):
        ran = alone.good("hub", "federated", "--format", form, "--out", "f", REUSE_SURFACE_URL=url)

    assert ran.out == "f: written, serial 9\n"
    assert (alone.folder / "f").read_bytes() == documents[form]
    assert json.loads((alone.folder / "f.etag").read_text())[0] == ETAG


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_nothing_is_said_of_a_serial_that_a_proxy_took_away(
    alone: Shell, documents: dict[str, bytes], form: str
) -> None:
    def behave(handler: http.server.BaseHTTPRequestHandler) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/{form}\r\nETag: {ETAG}\r\n"
        handler.wfile.write(f"{head}Content-Length: {len(documents[form])}\r\n\r\n".encode() + documents[form])
        handler.close_connection = True

    with stand_in(behave) as (url, _):
        saved = alone("hub", "federated", "--format", form, "--out", "copy", REUSE_SURFACE_URL=url)

    assert (saved.code, saved.out) == (0, "copy: written\n")


@pytest.mark.parametrize("status", [202, 206, 203, 304], ids=["taken on", "a part", "changed on its way", "unchanged"])
def test_an_answer_of_another_kind_is_no_index(alone: Shell, documents: dict[str, bytes], status: int) -> None:
    """A 304 that was not asked for says nothing about the file, which is not even there."""
    body = b"" if status == 304 else documents["json"]

    with stand_in(raw(body, "json", status=status)) as (url, _):
        ran = alone("hub", "federated", "--out", "f", REUSE_SURFACE_URL=url)

    assert (ran.code, ran.out) == (3, "")
    assert list(alone.folder.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [{}, {"sources": "none"}, {"sources": [7]}, {"sources": [{"repo": "a", "url": 5, "domain": "d"}]}],
    ids=["nothing", "text", "numbers", "no url"],
)
def test_sync_leaves_the_manifest_where_the_answer_is_none(alone: Shell, body: object) -> None:
    old = f"{client.MARK}\n"
    (alone.folder / "s.yaml").write_text(old)

    with stand_in(lambda one: said(one, json.dumps(body).encode())) as (url, _):
        ran = alone("hub", "sync", "--out", "s.yaml", REUSE_SURFACE_URL=url)

    assert (ran.code, ran.out) == (3, "")
    assert (alone.folder / "s.yaml").read_text() == old


def test_sync_writes_whatever_text_a_hub_sends(alone: Shell) -> None:
    body = b'{"sources": [{"repo": "a", "url": "u", "domain": "\\ud800"}]}'

    with stand_in(lambda one: said(one, body)) as (url, _):
        alone.good("hub", "sync", "--out", "s.yaml", REUSE_SURFACE_URL=url)

    assert '"domain": "\\ud800"' in (alone.folder / "s.yaml").read_text()


def packed(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    content = out.getvalue().rstrip(b"\0")
    return content + bytes(-len(content) % 512 + 1024)


@pytest.fixture
def taken() -> bytes:
    """A backup as a hub makes it."""
    about = {"made_at": "2026-11-27T00:00:00Z", "version": "0.1.0", "serial": 9, "registrations": 1}
    content = b'{"repo": "state-hub"}'
    sums = {"registrations.json": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
    members = {"backup.json": json.dumps(about), "checksums.json": json.dumps(sums)}
    first, last = ((name, text.encode()) for name, text in members.items())
    return packed(first, ("registrations.json", content), last)


BROKEN_BACKUPS = {
    "a byte less": lambda body: body[:-1],
    "half": lambda body: body[: len(body) // 2],
    "without its end": lambda body: body[:-1024],
    "one member's byte differs": lambda body: body.replace(b'"state-hub"', b'"state-hUb"'),
    "gzip of it": gzip.compress,
    "one member": lambda _: packed(("backup.json", b"{}")),
    "two of something else": lambda _: packed(("a.json", b"{}"), ("b.json", b"{}")),
    "nothing about itself": lambda _: packed(("backup.json", b"[]"), ("checksums.json", b"{}")),
}


@pytest.mark.parametrize("damage", BROKEN_BACKUPS.values(), ids=BROKEN_BACKUPS)
def test_a_part_of_a_backup_never_replaces_a_good_one(alone: Shell, taken: bytes, damage: Any) -> None:
    (alone.folder / "hub.tar").write_text(OLD)

    with stand_in(raw(taken, "x-tar")) as (url, _):
        assert alone("backup", "--out", "good.tar", REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN).code == 0
    with stand_in(raw(damage(taken), "x-tar")) as (url, _):
        ran = alone("backup", "--out", "hub.tar", REUSE_SURFACE_URL=url, REUSE_SURFACE_TOKEN=TOKEN)

    assert (ran.code, "did not arrive whole" in ran.err) == (3, True)
    assert (alone.folder / "hub.tar").read_text() == OLD


def commands(publisher: Publisher) -> list[tuple[str, ...]]:
    """Every command with --out."""
    del publisher
    return [
        ("hub", "federated"),
        ("hub", "federated", "--format", "yaml"),
        ("hub", "sync"),
        ("backup",),
        ("federation", "compose", "--sources", "s.json", "--cache-dir", "cache"),
    ]


@pytest.fixture
def composing(federation: Shell, publisher: Publisher) -> Shell:
    """The client of a hub, in a folder with a manifest that may be composed."""
    source = {"repo": "state-hub", "url": publisher.url_of("state-hub"), "domain": "d"}
    (federation.folder / "s.json").write_text(json.dumps({"version": 1, "sources": [source]}))
    federation.environ["REUSE_SURFACE_ALLOW_NETWORKS"] = "127.0.0.0/8"
    return federation


def test_a_pipe_is_written_to_and_stays(composing: Shell, publisher: Publisher) -> None:
    pipe = composing.folder / "p"
    os.mkfifo(pipe)
    for argv in commands(publisher):
        got: list[bytes] = []
        reader = threading.Thread(target=lambda got=got: got.append(pipe.read_bytes()))
        reader.start()
        ran = composing(*argv, "--out", "p")
        if ran.code:
            os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        reader.join()

        assert (ran.code, ran.err, len(got[0]) > 100) == (0, "", True), ran
    assert pipe.is_fifo()
    assert not (composing.folder / "p.etag").exists()


def test_a_device_is_written_to_and_stays(composing: Shell, publisher: Publisher) -> None:
    """A terminal: a device that everybody may make, in a folder where no file can be put in its place."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    (composing.folder / "device").symlink_to(os.ttyname(theirs))
    for argv in commands(publisher):
        ran: list[Any] = []
        running = threading.Thread(target=lambda argv=argv, ran=ran: ran.append(composing(*argv, "--out", "device")))
        running.start()
        got = os.read(ours, 100)
        while running.is_alive() or select.select([ours], [], [], 0)[0]:
            got += os.read(ours, 65536) if select.select([ours], [], [], 0.1)[0] else b""

        assert (ran[0].code, ran[0].err, len(got) > 100) == (0, "", True), ran
    assert (composing.folder / "device").is_char_device()
    assert not (composing.folder / "device.etag").exists()
    os.close(ours)
    os.close(theirs)


def test_a_link_to_a_file_stays_and_the_file_is_replaced(federation: Shell) -> None:
    (federation.folder / "link").symlink_to("file")
    (federation.folder / "file").write_text(OLD)

    federation.good("hub", "federated", "--out", "link")

    assert (federation.folder / "link").is_symlink()
    assert json.loads((federation.folder / "file").read_text())["conflicts"] != []
    assert sorted(one.name for one in federation.folder.iterdir()) == ["file", "link", "link.etag"]


@pytest.mark.parametrize("out", ["-", "/dev/stdout", "./mine"])
def test_a_dash_is_standard_output_and_what_is_said_goes_to_stderr(
    composing: Shell, publisher: Publisher, out: str
) -> None:
    (composing.folder / "mine").symlink_to("/dev/stdout")
    before = sorted(one.name for one in composing.folder.iterdir())
    for argv in commands(publisher):
        ran = composing(*argv, "--out", out)

        assert (ran.code, f"{out}: " in ran.err) == (0, True), ran
        assert ": written" not in ran.out
        assert "capabilities" in ran.out or "sources" in ran.out or "backup.json" in ran.out
    assert sorted(one.name for one in composing.folder.iterdir()) == sorted([*before, "cache"])


@pytest.mark.parametrize("out", ["-", "/dev/stdout"])
def test_stdout_in_a_file_gets_the_whole_document(composing: Shell, out: str) -> None:
    known = {name: os.environ[name] for name in KEPT if name in os.environ}
    with (composing.folder / "f").open("wb") as file:
        subprocess.run(
            [sys.executable, "-I", str(CLI), "hub", "federated", "--out", out],
            cwd=composing.folder, env=known | composing.environ, stdout=file, stderr=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    assert len(json.loads((composing.folder / "f").read_bytes())["sources"]) == 2


def test_json_and_a_document_do_not_share_stdout(composing: Shell, publisher: Publisher) -> None:
    for argv in commands(publisher):
        ran = composing(*argv, "--out", "-", "--json")

        assert (ran.code, ran.json["error"]["exit_code"]) == (2, 2)


def test_what_can_not_be_replaced_says_what_to_do() -> None:
    def said_of(number: int) -> str:
        return str(client._unwritable("in/f.json", OSError(number, os.strerror(number)), kept=True))

    assert said_of(16).endswith("or use --out - > in/f.json")
    assert said_of(2).endswith("mkdir -p in")
    assert said_of(21).endswith("Is a directory. It was left as it is. Name a file in it.")
    assert "its folder has to be writable" in said_of(13)
    assert str(client._unwritable("p", ValueError("embedded null byte"), kept=False)).endswith("embedded null byte.")
    assert said_of(28) == "in/f.json can't be written: No space left on device. It was left as it is."


@pytest.mark.parametrize("argv", [("hub", "federated"), ("backup",)], ids=" ".join)
def test_a_file_in_the_place_of_a_folder_is_told(federation: Shell, argv: tuple[str, ...]) -> None:
    (federation.folder / "file").write_text(OLD)

    ran = federation(*argv, "--out", "file/x")

    assert (ran.code, ran.out) == (1, "")
    assert "file/x can't be written: Not a directory." in ran.err


def test_sync_says_what_keeps_it_from_making_the_folder(federation: Shell) -> None:
    (federation.folder / "file").write_text(OLD)

    ran = federation("hub", "sync", "--out", "file/deep/s.yaml")

    assert (ran.code, "file/deep can't be written: Not a directory" in ran.err) == (1, True)


def test_a_name_of_full_length_is_written(federation: Shell) -> None:
    name = "f" * 250

    federation.good("hub", "sync", "--out", name)

    assert [one.name for one in federation.folder.iterdir()] == [name]


def test_a_folder_of_backups_is_made_but_not_the_one_above(federation: Shell) -> None:
    made = federation.good("backup", "--out", "backups/", "--json").json["out"]
    refused = federation("backup", "--out", "deep/er/")

    assert (federation.folder / made).stat().st_size > 1000
    assert (refused.code, "mkdir -p deep" in refused.err) == (1, True)
    assert not (federation.folder / "deep").exists()


@pytest.mark.parametrize("argv", [("version",), ("completion", "bash"), ("hub", "federated")], ids=" ".join)
def test_a_full_disk_behind_stdout_is_told(federation: Shell, argv: tuple[str, ...]) -> None:
    known = {name: os.environ[name] for name in KEPT if name in os.environ}
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [sys.executable, "-I", str(CLI), *argv],
            cwd=federation.folder, env=known | federation.environ, stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip

    told = b"reuse-surface: Standard output can't be written: No space left on device.\n"
    assert (ran.returncode, ran.stderr) == (1, told)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "2>/dev/full", "2>&1 >&-"])
def test_a_closed_stream_is_no_crash(alone: Shell, closed: str) -> None:
    known = {name: os.environ[name] for name in KEPT if name in os.environ}
    for words, code in (("version", 0), ("dance", 2), ("hub list --base-url x", 2)):
        line = f"exec '{sys.executable}' -I '{CLI}' {words} {closed}"
        ran = subprocess.run(["sh", "-c", line], cwd=alone.folder, env=known, capture_output=True, check=False)

        assert ran.returncode == code
        assert b"Traceback" not in ran.stderr + ran.stdout


def test_a_folder_that_was_removed_is_named_and_not_a_crash(federation: Shell) -> None:
    folder = federation.folder / "gone"
    folder.mkdir()
    line = f"rmdir {folder} && exec {sys.executable} -I {CLI} hub sync --out sources.yaml"
    environ = {name: os.environ[name] for name in KEPT if name in os.environ} | federation.environ
    ran = subprocess.run(["sh", "-c", line], cwd=folder, env=environ, capture_output=True, timeout=60, check=False)

    assert ran.returncode == 1
    assert b"sources.yaml can't be written: No such file or directory." in ran.stderr
    assert b"Traceback" not in ran.stderr
