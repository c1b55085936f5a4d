"""Faults on demand in a hub's process: Python imports this as it starts where PYTHONPATH names this folder.

The test and the hub share two pages of memory, the file that CHAOS_FAULTS names. The first holds what is to go wrong,
as JSON; in the second this counts what went wrong. A command so needs no thread and no open file, which may be just
what is refused. Without CHAOS_FAULTS nothing is changed. The files are those below the folder CHAOS_DATA.
"""

from __future__ import annotations

import builtins
import datetime as dt
import errno
import io
import itertools
import json
import mmap
import os
import signal
import stat
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 4096
KINDS = (
    "open", "write", "fsync", "fsync_folder", "link", "unlink", "rename", "truncate", "list", "mkdir", "thread",
    "process", "step",
)  # fmt: skip
COUNT = struct.Struct("<q")


class Page:
    """The shared pages. A command is ``{kind: [error, skip, count]}``, ``{"kill": step}`` and ``{"clock": seconds}``.

    Of the calls of a kind the first *skip* work and the next *count* fail with *error*. The process is killed before
    the file operation number *kill*, from 1 on; a write is then done by half. All is counted from the command on.
    """

    def __init__(self, file: str) -> None:
        with Path(file).open("r+b") as opened:
            self._memory = mmap.mmap(opened.fileno(), 2 * PAGE)
        self._text = b""
        self._command: dict[str, Any] = {}
        self._calls: dict[str, itertools.count[int]] = {}
        self._counting = threading.Lock()

    def command(self) -> dict[str, Any]:
        """Return what is to go wrong now."""
        text = self._memory[:PAGE].rstrip(b"\0")
        if text != self._text:
            try:
                self._command = json.loads(text or b"{}")
            except ValueError:  # in the middle of being written
                return self._command
            self._calls = {kind: itertools.count() for kind in KINDS}
            self._text = text
        return self._command

    def fails(self, kind: str) -> OSError | None:
        """Return the error that this call of *kind* is to end with, if it is."""
        with self._counting:
            error, skip, count = self.command().get(kind, (0, 0, 0))
            if not error or not skip <= next(self._calls[kind]) < skip + count:
                return None
            self._hit(kind)
        return OSError(error, os.strerror(error))

    def is_last(self) -> bool:
        """Tell whether the process is to be killed before this file operation."""
        with self._counting:
            command = self.command()
            if "step" not in self._calls:
                return False
            self._hit("step")
            return next(self._calls["step"]) + 1 == command.get("kill")

    def counted(self, kind: str) -> int:
        """Return how many calls of *kind* have failed, or of ``step`` how many there were."""
        return int(COUNT.unpack_from(self._memory, PAGE + COUNT.size * KINDS.index(kind))[0])

    def _hit(self, kind: str) -> None:
        COUNT.pack_into(self._memory, PAGE + COUNT.size * KINDS.index(kind), self.counted(kind) + 1)


def is_ours(file: Any) -> bool:
    """Tell whether a file is one of the hub's data."""
    path = Path(f"/proc/self/fd/{file}").readlink() if isinstance(file, int) else Path(os.fspath(file)).absolute()
    return str(path).startswith(os.environ["CHAOS_DATA"])


def step(page: Page, kind: str, half: Callable[[], object] | None = None) -> None:
    """Be killed or fail before a file operation of *kind*; *half* does a part of it first."""
    last, fault = page.is_last(), page.fails(kind)
    if half is not None and (last or fault):
        half()
    if last:
        os.kill(os.getpid(), signal.SIGKILL)
    if fault:
        raise fault


def failing(page: Page, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return *call* with the faults of *kind*."""

    def instead(file: Any, *rest: Any, **named: Any) -> Any:
        if is_ours(file):
            step(page, kind)
        return call(file, *rest, **named)

    return instead


def replace_files(page: Page) -> None:
    """Let calls of the system on files of the data go wrong."""
    for name, kind in {"open": "open", "link": "link", "unlink": "unlink", "remove": "unlink", "rename": "rename",
                       "replace": "rename", "truncate": "truncate", "scandir": "list", "listdir": "list",
                       "mkdir": "mkdir"}.items():  # fmt: skip
        setattr(os, name, failing(page, kind, getattr(os, name)))
    sync = os.fsync

    def fsync(handle: int) -> None:
        if is_ours(handle):
            step(page, "fsync_folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "fsync")
        sync(handle)

    os.fsync = fsync  # type: ignore[assignment]  # of the many forms only that which the hub uses


def replace_writing(page: Page) -> None:
    """Let opening files of the data, and what is written to them, go wrong."""
    opened = io.open

    class Written(io.FileIO):
        def write(self, content: Any) -> int:
            rest = memoryview(content)
            step(page, "write", lambda: io.FileIO.write(self, rest[: len(rest) // 2]))
            return super().write(content)

    def open_file(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        if not is_ours(file) or (isinstance(file, Path) and file.suffix == ".lock"):
            return opened(file, mode, buffering, *rest, **named)
        if not isinstance(file, int):
            step(page, "open")
        if "b" not in mode or not set(mode) & set("wax"):
            return opened(file, mode, buffering, *rest, **named)
        raw = Written(file, mode.replace("b", ""))
        return io.BufferedWriter(raw) if buffering else raw

    io.open = builtins.open = open_file


def replace_threads(page: Page) -> None:
    """Let threads and processes be refused."""
    thread, process = threading._start_new_thread, subprocess._fork_exec  # type: ignore[attr-defined]

    def start_thread(*about: Any) -> Any:
        if page.fails("thread"):
            raise RuntimeError("can't start new thread")
        return thread(*about)

    def start_process(*about: Any) -> Any:
        if fault := page.fails("process"):
            raise BlockingIOError(errno.EAGAIN, fault.strerror)
        return process(*about)

    threading._start_new_thread = start_thread  # type: ignore[attr-defined]
    subprocess._fork_exec = start_process  # type: ignore[attr-defined]


def replace_clock(page: Page) -> None:
    """Let the wall clock be set; what is monotonic goes on."""
    plain, seconds = dt.datetime, time.time

    class AnyDateTime(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, plain)

    class Shifted(dt.datetime, metaclass=AnyDateTime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return plain.now(tz) + dt.timedelta(seconds=page.command().get("clock", 0))

    dt.datetime = Shifted  # type: ignore[misc]  # before any module of the hub takes it
    time.time = lambda: seconds() + page.command().get("clock", 0)


def main(file: str) -> None:
    """Put everything in its place."""
    page = Page(file)
    replace_files(page)
    replace_writing(page)
    replace_threads(page)
    replace_clock(page)


if "CHAOS_FAULTS" in os.environ:
    main(os.environ["CHAOS_FAULTS"])
