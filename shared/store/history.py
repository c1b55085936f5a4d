"""Who changed what: an append-only file of JSON lines, bounded per repo and in all.

A batch of lines is appended and synced before the registrations are written. Lines about a revision that the
registrations never reached belong to a write that was not answered; they are dropped at the start.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

import orjson

from shared.files import NewerFormatError, storage_problem, trusted, write_all, write_whole
from shared.store import IN_ALL, PER_REPO, Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

FORMAT = 1
_KIND = "reuse-surface history"
_HEAD = orjson.dumps({"kind": _KIND, "format": FORMAT}) + b"\n"
_SLACK = 1000


class History:
    """The newest changes in memory and on disk: at most 50 per repo and 10,000 in all."""

    def __init__(self, path: Path, last_revision: Callable[[str], int]) -> None:
        """Read *path*; *last_revision* tells how far the registrations of a repo have come. Raise StartError."""
        self._path = path
        self._by_repo: dict[str, deque[int]] = {}
        self._changes: OrderedDict[int, Change] = OrderedDict()
        self._next = 0
        self._lines = 0
        self._whole = False
        self._read(last_revision)

    def _read(self, last_revision: Callable[[str], int]) -> None:
        if not self._path.exists():
            return
        with trusted(self._path, "Put back a good copy, or move the file away to go on with an empty history."):
            head, *lines = self._path.read_bytes().splitlines(keepends=True)
            if head != _HEAD:
                raise _foreign(head)
            # Only the last line can be torn, by a crash in the middle of an append that nobody was told had worked.
            torn = bool(lines) and not lines[-1].endswith(b"\n")
            changes = [Change(**orjson.loads(line)) for line in lines[: len(lines) - torn]]
            self.keep(change for change in changes if change.revision <= last_revision(change.repo))
        self._lines = len(lines)
        self._whole = not torn and self._next == len(lines)

    def of(self, repo: str) -> Sequence[Change]:
        """Return the changes of *repo*, newest first."""
        return [self._changes[number] for number in reversed(self._by_repo.get(repo, ()))]

    def append(self, changes: Sequence[Change]) -> None:
        """Write *changes* to the file, durably, or raise StorageUnavailable. ``keep`` makes them readable."""
        if not self._whole or self._lines > len(self._changes) + _SLACK:
            self._rewrite(changes)
            return
        # Until the append is known to have worked the file's end is not to be trusted: an fsync that failed is never
        # repeated on the same file, the next write makes a new one.
        self._whole = False
        try:
            with self._path.open("ab", buffering=0) as file:
                write_all(file, _encoded(changes))
                os.fsync(file.fileno())
        except OSError as fault:
            raise storage_problem(fault) from fault
        self._whole = True
        self._lines += len(changes)

    def _rewrite(self, changes: Sequence[Change]) -> None:
        write_whole(self._path, _HEAD + _encoded([*self._changes.values(), *changes]))
        self._whole = True
        self._lines = len(self._changes) + len(changes)

    def keep(self, changes: Iterable[Change]) -> None:
        """Make *changes* readable; the oldest beyond the bounds are forgotten."""
        for change in changes:
            self._keep(change)

    def doubt(self) -> None:
        """Have the next append rewrite the file: the registrations that the last one announced were not written."""
        self._whole = False

    def _keep(self, change: Change) -> None:
        own = self._by_repo.setdefault(change.repo, deque())
        own.append(self._next)
        self._changes[self._next] = change
        self._next += 1
        if len(own) > PER_REPO:
            del self._changes[own.popleft()]
        if len(self._changes) > IN_ALL:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, oldest = self._changes.popitem(last=False)
        own = self._by_repo[oldest.repo]
        own.popleft()
        if not own:
            del self._by_repo[oldest.repo]


def _foreign(head: bytes) -> ValueError:
    about = orjson.loads(head)
    if about["kind"] == _KIND and about["format"] > FORMAT:
        return NewerFormatError(about["format"], FORMAT)
    return ValueError(head)


def _encoded(changes: Iterable[Change]) -> bytes:
    return b"".join(orjson.dumps(change, option=orjson.OPT_APPEND_NEWLINE) for change in changes)
