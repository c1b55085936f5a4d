from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

from shared.storage.archive import FIRST, LAST, NAME, ArchivedFile, Description, archived
from shared.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

ABOUT = Description("2026-11-23T10:00:00Z", 7, 2)


def file(name: str, *pieces: bytes) -> ArchivedFile:
    def read() -> Iterable[bytes]:
        return pieces

    return ArchivedFile(name, sum(map(len, pieces)), read)


def members(tar: Iterable[bytes]) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar)), mode="r|") as opened:
        return {one.name: (opened.extractfile(one) or io.BytesIO()).read() for one in opened}


def test_says_what_it_is_first_and_what_proves_it_whole_last() -> None:
    found = members(archived(ABOUT.as_json(), [file("content/a.json", b"x" * 700, b"y"), file("registrations.json")]))

    assert list(found) == [FIRST, "content/a.json", "registrations.json", LAST]
    assert json.loads(found[FIRST]) == {
        "kind": "reuse-surface backup", "format": 1, "version": VERSION,
        "made_at": "2026-11-23T10:00:00Z", "serial": 7, "registrations": 2,
    }  # fmt: skip
    assert found["content/a.json"] == b"x" * 700 + b"y"
    assert json.loads(found[LAST]) == {
        "content/a.json": {"bytes": 701, "sha256": hashlib.sha256(b"x" * 700 + b"y").hexdigest()},
        "registrations.json": {"bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()},
    }


def test_a_file_is_read_once_it_is_due_and_not_before() -> None:
    read: list[str] = []

    def pieces() -> Iterable[bytes]:
        read.append("a")
        return [b"1"]

    tar = archived(ABOUT.as_json(), [ArchivedFile("a", 1, pieces)])
    next(tar)

    assert read == []
    assert members([b"".join(archived(ABOUT.as_json(), [ArchivedFile("a", 1, pieces)]))])["a"] == b"1"
    assert read == ["a"]


def test_the_same_files_give_the_same_bytes() -> None:
    assert [*archived(ABOUT.as_json(), [file("a", b"1")])] == [*archived(ABOUT.as_json(), [file("a", b"1")])]


def test_a_name_leads_nowhere_else() -> None:
    assert all(map(NAME.fullmatch, ("registrations.json", "content/a-b.json")))
    assert not any(map(NAME.fullmatch, ("/a", "../a", "a/../b", ".draft-a", "a/", "")))
