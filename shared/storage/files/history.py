"""Who changed what: an append-only file of JSON lines, bounded per repo, per token and in all.

A batch of lines is appended and synced before the registrations are written. Lines about a revision that the
registrations never reached belong to a write that was not answered; they are dropped at the start.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import orjson

from shared.disk import NewerFormatError, content_of, storage_problem, trusted, write_all, write_whole
from shared.model.history import Change
from shared.saved import fitting
from shared.storage.lines import HistoryLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

FORMAT = 2
_KIND = "reuse-surface history"
_HEAD = orjson.dumps({"kind": _KIND, "format": FORMAT}) + b"\n"
_SLACK = 1000
"""So many lines more than can be read may stand in the file before it is written anew."""
_REMEDY = "Put back a good copy, or move the file away to go on with an empty history."


class History:
    """The file of the history. *lines* are those that can be read, bounded as ``Store.history`` says.

    *_whole* tells that the file ends with a whole line that counts, so that another may be appended; *_line_count* is
    how many lines it has, those that are bounded away included, and *_length* where the last append began, in bytes.
    """

    def __init__(self, path: Path, last_revision: Callable[[str], int], lines: HistoryLines | None = None) -> None:
        """Read *path*; *last_revision* tells how far the registrations of a repo have come. Raise StartError."""
        self._path = path
        self.lines = HistoryLines() if lines is None else lines
        self._line_count = 0
        self._length: int | None = None
        self._whole = False
        self._read(last_revision)

    def _read(self, last_revision: Callable[[str], int]) -> None:
        content = content_of(self._path, _REMEDY)
        if content is None:
            return
        with trusted(self._path, _REMEDY):
            head, *lines = content.splitlines(keepends=True)
            if head != _HEAD:
                _check_older(head)
            # Only the last line can be torn, by a crash in the middle of an append that nobody was told had worked.
            torn = bool(lines) and not lines[-1].endswith(b"\n")
            changes = [fitting(Change(**orjson.loads(line))) for line in lines[: len(lines) - torn]]
            # Written ahead of registrations that were then not written: nobody was told that those writes happened.
            counted = [change for change in changes if change.revision <= last_revision(change.repo)]
            for change in counted:
                # A line of format 1 has no number; it comes after the one before it.
                self.lines.keep([_following(change, self.lines)] if change.number else self.lines.numbered([change]))
        self._line_count = len(lines)
        self._whole = head == _HEAD and not torn and len(counted) == len(lines)

    def append(self, changes: Sequence[Change]) -> None:
        """Write *changes*, which are numbered, durably, or raise StorageUnavailable. ``lines.keep`` is to follow."""
        if not self._whole or self._line_count > len(self.lines) + _SLACK:
            self._rewrite(changes)
            return
        # Until the append is known to have worked the file's end is not to be trusted: an fsync that failed is never
        # repeated on the same file, the next write makes a new one.
        self._whole, self._length = False, None
        try:
            with self._path.open("ab", buffering=0) as file:
                self._length = file.tell()
                write_all(file, _encoded(changes))
                os.fsync(file.fileno())
        except OSError as fault:
            self._cut()
            raise storage_problem(fault) from fault
        self._whole = True
        self._line_count += len(changes)

    def _rewrite(self, changes: Sequence[Change]) -> None:
        stored = _HEAD + _encoded(self.lines)
        write_whole(self._path, stored + _encoded(changes))
        self._whole, self._length = True, len(stored)
        self._line_count = len(self.lines) + len(changes)

    def _cut(self) -> None:
        """Take what this append wrote from the file, so that a start does not find it; as far as the volume lets it.

        An append that could not even open the file wrote nothing: what was appended before is not to be touched.
        """
        if self._length is not None:
            with contextlib.suppress(OSError):
                os.truncate(self._path, self._length)

    def withdraw(self, *, in_doubt: bool) -> None:
        """Have the lines of the last append not count: the registrations after them were not written.

        Where that is *in_doubt* the lines stay in the file until the next append: a start finds them with the
        registrations, or drops them without.
        """
        self._whole = False
        if not in_doubt:
            self._cut()


def _following(change: Change, lines: HistoryLines) -> Change:
    """Return *change*, or raise ValueError where its number is not beyond those of *lines*."""
    if change.number < lines.next:
        raise ValueError(change.number)
    return change


def _check_older(head: bytes) -> None:
    """Raise ValueError unless *head* is that of an older format of a history, which can be read as it is."""
    about = orjson.loads(head)
    if about["kind"] != _KIND or about["format"] < 1:
        raise ValueError(head)
    if about["format"] > FORMAT:
        raise NewerFormatError(about["format"], FORMAT)


def _encoded(changes: Iterable[Change]) -> bytes:
    return b"".join(orjson.dumps(change, option=orjson.OPT_APPEND_NEWLINE) for change in changes)
