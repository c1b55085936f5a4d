from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from shared.model.history import Change
from shared.problems import StartError, StorageUnavailable
from shared.storage import PER_REPO
from shared.storage.files.history import History

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

AT = "2026-11-23T10:00:00.000000Z"
LINE = Change(repo="a", at=AT, by="anna", action="update", revision=1, before={}, after={"domain": "d"})


def lines(count: int, repo: str = "a", first: int = 1) -> list[Change]:
    """Return changes of *repo* with revisions that go on from *first*."""
    return [replace(LINE, repo=repo, revision=first + number) for number in range(count)]


def opened(path: Path, last: int = 1_000_000) -> History:
    """Return the history in *path*, of repos that all came to the revision *last*."""
    return History(path, lambda _: last)


def write(history: History, changes: Iterable[Change]) -> None:
    """Write and keep, as the store does."""
    changes = history.lines.numbered(changes)
    history.append(changes)
    history.lines.keep(changes)


def revisions(history: History, repo: str = "a") -> list[int]:
    """Return the revisions that a history knows, newest first."""
    return [change.revision for change in history.lines.of(repo)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the history lies."""
    return tmp_path / "history.jsonl"


def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    history = opened(path)
    write(history, [LINE, replace(LINE, repo="b", request_id="r")])
    write(history, lines(2, first=2))

    for one in (history, opened(path)):
        assert list(one.lines.of("a")) == [replace(LINE, revision=3), replace(LINE, revision=2), LINE]
        assert list(one.lines.of("b")) == [replace(LINE, repo="b", request_id="r")]
        assert list(one.lines.of("nobody")) == []


def test_an_append_that_can_not_open_the_file_takes_nothing_from_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = opened(path)
    for number in range(1, 4):
        write(history, lines(1, first=number))
    before = path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as refusing:
        refusing.setattr(type(path), "open", refuse)
        with pytest.raises(StorageUnavailable):
            history.append(lines(1, first=4))

    assert path.read_bytes() == before
    assert revisions(opened(path)) == [3, 2, 1]


def test_later_changes_are_appended(path: Path) -> None:
    history = opened(path)
    write(history, [LINE])
    before, file = path.read_bytes(), path.stat().st_ino

    write(history, lines(1, first=2))

    assert path.read_bytes().startswith(before)
    assert path.stat().st_ino == file


def test_what_the_registrations_never_reached_is_dropped(path: Path) -> None:
    # The process died after the append and before the registrations were written: nobody was told that it had worked.
    write(opened(path), lines(3))

    history = opened(path, last=2)
    assert revisions(history) == [2, 1]
    write(history, [replace(LINE, revision=3, by="bert")])

    assert [(line.revision, line.by) for line in opened(path).lines.of("a")] == [(3, "bert"), (2, "anna"), (1, "anna")]


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_line_torn_by_a_crash_is_dropped(path: Path, cut: int) -> None:
    write(opened(path), lines(3))
    path.write_bytes(path.read_bytes()[:-cut])

    history = opened(path)
    assert revisions(history) == [2, 1]
    write(history, [replace(LINE, revision=3)])

    assert revisions(opened(path)) == [3, 2, 1]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"something else\n", id="foreign"),
        pytest.param(b"", id="empty"),
        pytest.param(b'{"kind":"something else","format":1}\n', id="of another kind"),
        pytest.param(b'{"kind":"reuse-surface history","format":3}\n', id="newer"),
        pytest.param(b'{"kind":"reuse-surface history","format":1}\n{"repo": "a"}\n', id="a line that lacks fields"),
        pytest.param(b'{"kind":"reuse-surface history","format":1}\n{"re\n{}\n', id="torn in the middle"),
    ],
)
def test_a_file_that_can_not_be_trusted_stops_the_start_and_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(StartError, match="left untouched"):
        opened(path)

    assert path.read_bytes() == content


def test_the_newest_of_each_repo_are_kept(path: Path) -> None:
    history = opened(path)
    write(history, lines(PER_REPO + 2))
    write(history, lines(1, "b"))

    for one in (history, opened(path)):
        assert revisions(one) == list(range(PER_REPO + 2, 2, -1))
        assert revisions(one, "b") == [1]


def test_the_file_is_made_anew_when_it_holds_far_more_than_is_kept(path: Path) -> None:
    history = opened(path)
    write(history, lines(PER_REPO))
    for number in range(11):
        write(history, lines(100, first=PER_REPO + 1 + 100 * number))
    full = path.stat().st_size

    write(history, lines(1, first=5000))

    assert path.stat().st_size < full / 5
    assert revisions(opened(path))[:2] == [5000, PER_REPO + 1100]


def test_a_file_whose_sync_failed_is_never_synced_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = opened(path)
    write(history, [LINE])
    file = path.stat().st_ino
    holder = path.open("rb")  # so that the number of the file is not given to the next one

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(StorageUnavailable):
            history.append(lines(1, first=2))
    assert revisions(history) == [1]

    synced, real = list[int](), os.fsync

    def note(handle: int) -> None:
        synced.append(os.fstat(handle).st_ino)
        real(handle)

    monkeypatch.setattr(os, "fsync", note)
    write(history, [replace(LINE, revision=2, by="bert")])

    assert file not in synced
    assert path.stat().st_ino in synced
    assert [line.by for line in opened(path).lines.of("a")] == ["bert", "anna"]
    holder.close()


def test_what_must_not_count_is_not_in_the_next_file(path: Path) -> None:
    history = opened(path)
    write(history, [LINE])
    history.append(history.lines.numbered(lines(1, first=2)))
    history.withdraw(in_doubt=False)
    assert [line.by for line in opened(path).lines.of("a")] == ["anna"]

    write(history, [replace(LINE, revision=2, by="bert")])

    assert [line.by for line in opened(path).lines.of("a")] == ["bert", "anna"]


def test_lines_that_are_in_doubt_are_there_for_a_start_that_finds_their_registrations(path: Path) -> None:
    history = opened(path)
    write(history, [LINE])
    history.append(history.lines.numbered(lines(1, first=2)))
    history.withdraw(in_doubt=True)

    assert revisions(opened(path, last=2)) == [2, 1]
    assert revisions(opened(path, last=1)) == [1]
    write(history, [replace(LINE, repo="b")])
    assert revisions(opened(path, last=2)) == [1]


def test_two_lines_with_one_number_are_not_trusted(path: Path) -> None:
    write(opened(path), lines(1))
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[1])

    with pytest.raises(StartError, match="is damaged"):
        opened(path)


def test_what_an_append_that_failed_left_in_the_file_is_taken_out_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = opened(path)
    write(history, [LINE])
    before = path.read_bytes()

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fail)
        with pytest.raises(StorageUnavailable):
            history.append(history.lines.numbered([replace(LINE, action="accept")]))

    assert path.read_bytes() == before


OLD = b"".join([
    b'{"kind":"reuse-surface history","format":1}\n',
    b'{"repo":"a","at":"2026-11-23T10:00:02Z","by":"anna","action":"register","revision":1,"before":null,"after":{},',
    b'"request_id":null}\n',
    b'{"repo":"a","at":"2026-11-23T10:00:01Z","by":"anna","action":"accept","revision":1,"before":{},"after":{},',
    b'"request_id":null}\n',
])


def test_a_file_of_the_first_format_is_read_and_written_anew_with_numbers(path: Path) -> None:
    path.write_bytes(OLD)
    history = opened(path)
    assert [(line.action, line.number) for line in history.lines.of("a")] == [("accept", 2), ("register", 1)]

    write(history, [replace(LINE, revision=2)])

    assert path.read_bytes().startswith(b'{"kind":"reuse-surface history","format":2}\n')
    assert [(line.action, line.number) for line in opened(path).lines.of("a")] == [
        ("update", 3), ("accept", 2), ("register", 1),
    ]  # fmt: skip
