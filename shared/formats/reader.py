"""Reads documents while the hub answers others: small ones in a thread, large ones in a process of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from shared.formats import INDEX, UNKNOWN, worker
from shared.formats.manifest import sift_manifest
from shared.formats.turns import Turns
from shared.problems import InvalidIndex, SourceTooLarge
from shared.shortage import not_read, shortage
from shared.threads import Threads

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Coroutine, Iterable

    from shared.formats import Publisher, Reading, SourceFormat
    from shared.formats.manifest import SiftedManifest
    from shared.problems import Problem

T = TypeVar("T")

LARGE = 64 * 1024
"""Bytes from which a document goes to the process. Sending it there and starting it costs more below."""

_ROOT = Path(__file__).resolve().parent.parent.parent
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
_TO_END = 2.0  # seconds in which a process ends by itself when its input does, before it is killed
_MOST_SAID = 16 * 1024
_CRASHES = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"}
_log = logging.getLogger("hub.sources")


@dataclass(frozen=True, slots=True)
class ReadingLine:
    """How the documents of one kind of sender are read; each line has a thread and a process of its own.

    A document of *large* bytes goes to the process, which *command* starts. It has *memory* bytes and this *niceness*,
    and *seconds* in all; it also bounds its own processor time. It ends when nothing came for *idle_seconds*.
    """

    large: int = LARGE
    memory: int = worker.MEMORY
    niceness: int = 0
    seconds: float = 20.0
    idle_seconds: float = 60.0
    command: tuple[str, ...] = (sys.executable, "-c", "from shared.formats.worker import main; main()")


VISITORS = ReadingLine(large=8 * 1024, memory=384 * 1024 * 1024, niceness=10)
"""For what anyone may send: hardly anything of it is read in the hub's own process, and none in the hub's own line."""


class DocumentReader:
    """Reads documents of one line one after the other of each kind, small or large."""

    def __init__(self, line: ReadingLine | None = None) -> None:
        self._line = line or ReadingLine()
        # One thread: more of them would only fight over the interpreter's lock, and with the readers of the hub.
        self._thread = Threads(1, "index")
        self._small, self._large = Turns(), Turns()
        self._reading = 0
        self._process: Process | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def read(
        self, body: bytes, publisher: Publisher = UNKNOWN, source_format: SourceFormat = INDEX, *, owner: str = ""
    ) -> Reading:
        """Return what the document in *body*, of a row of FORMATS, came to; raise as that row does.

        Documents of different *owner*s are read by turns, so that nobody waits for all of another's.

        Raise SourceTooLarge too when reading took more processor time or memory than any document needs, InvalidIndex
        when the process crashed over it, and Overloaded when the hub's own machine has no thread, process, processor
        time or memory left for it.
        """
        if len(body) < self._line.large:
            async with self._small.turn(owner):
                return await self._in_thread(source_format.reading, body, publisher)
        request = worker.request(body, source_format.name, publisher)
        return cast("Reading", await self._in_process(request, owner))

    async def sift_manifest(self, body: bytes) -> SiftedManifest:
        """Return what is in order in the manifest in *body*; raise as sift_manifest, or SourceTooLarge as ``read``."""
        if len(body) < self._line.large:
            return await self._in_thread(sift_manifest, body)
        return cast("SiftedManifest", await self._in_process(worker.request(body, worker.MANIFEST)))

    async def _in_thread(self, read: Callable[..., T], *about: object) -> T:
        try:
            reading = asyncio.get_running_loop().run_in_executor(self._thread, read, *about)
        except (RuntimeError, MemoryError) as fault:
            raise shortage(fault, "threads") from fault
        try:
            return await reading
        except MemoryError as fault:
            # This is the hub's own process: what a document takes here is bounded by its size.
            raise shortage(fault, "memory") from fault
        finally:
            del reading  # It holds the failure, whose traceback leads here: only a collection would find them.

    async def _in_process(self, request: Iterable[bytes], owner: str = "") -> Reading | SiftedManifest:
        self._reading += 1
        try:
            async with self._large.turn(owner):
                answer = await self._ask(request)
        except MemoryError as fault:
            raise shortage(fault, "memory") from fault
        finally:
            self._reading -= 1
        return await self._in_thread(worker.reading_of, answer)

    async def _ask(self, request: Iterable[bytes]) -> bytes:
        try:
            process = await self._started()
        except (OSError, RuntimeError) as fault:
            # The command is always the same: what it, or the thread waiting for it, was refused is the machine's.
            raise shortage(fault, "processes") from fault
        try:
            async with asyncio.timeout(self._line.seconds):
                answer = await _exchange(process, request)
        except TimeoutError as fault:
            # A process that was not asked to its end may still answer; nobody would know to what.
            await _end(self._take(), at_once=True)
            # What the document itself takes of the processor the process bounds, to much less than this.
            raise shortage(fault, "processor time") from fault
        except (EOFError, OSError) as fault:
            self._take()
            # Not killed, so that it is the signal that ended it which tells what happened.
            await _end(process)
            raise _unanswered(process.returncode) from fault
        except BaseException:
            await _end(self._take(), at_once=True)
            raise
        self._timer = asyncio.get_running_loop().call_later(self._line.idle_seconds, self._idle)
        return answer

    async def _started(self) -> Process:
        if self._timer:
            self._timer.cancel()
        if self._process is not None and self._process.returncode is not None:
            await _end(self._take(), at_once=True)
        if self._process is None:
            # Not forked: a fork holds the listening socket. Secrets of the environment stay here, and so does Ctrl-C.
            self._process = await asyncio.create_subprocess_exec(
                *self._line.command,
                str(self._line.memory),
                str(self._line.niceness),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=_ROOT,
                start_new_session=True,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )
            self._keep(_log_errors(self._process))
        return self._process

    def _idle(self) -> None:
        # First of all: whatever fails below, a process that is idle ends later.
        self._timer = asyncio.get_running_loop().call_later(self._line.idle_seconds, self._idle)
        # Between two reads the lock is free for a moment, though the next one is about to take it, or to give up.
        if not self._reading:
            self._keep(_end(self._process))
            self._timer.cancel()
            # Taken away at once: an index that comes before the task runs starts a process of its own.
            self._take()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _take(self) -> Process | None:
        process, self._process = self._process, None
        return process

    async def close(self) -> None:
        """End the process and the thread."""
        if self._timer:
            self._timer.cancel()
        await _end(self._take(), at_once=True)
        await asyncio.gather(*self._ending)
        self._thread.shutdown(wait=False, cancel_futures=True)


async def _end(process: Process | None, *, at_once: bool = False) -> None:
    """Let the process end, as it does when its input ends, or kill it."""
    if process is None or process.stdin is None:
        return
    with contextlib.suppress(OSError):
        process.stdin.close()
        if at_once:
            process.kill()
    try:
        async with asyncio.timeout(_TO_END):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _unanswered(code: int | None) -> Problem:
    """Return the problem of a document over which the process ended with exit *code* and without an answer.

    A signal that says what the document did to it is the document's fault; another one came from outside, as from the
    kernel where memory ran out; and one that just ended was a process that could not begin.
    """
    name = signal.Signals(-code).name if code is not None and code < 0 else ""
    if name == "SIGXCPU":
        return SourceTooLarge(f"Reading the document takes more than {worker.CPU_SECONDS} s of processor time.")
    if name in _CRASHES:
        _log.error("the process that reads large indexes crashed over one of them (%s)", name)
        return InvalidIndex(f"The document could not be read: the process that reads it crashed over it ({name}).")
    _log.error("the process that reads large indexes ended without an answer (%s)", name or f"exit code {code}")
    if name:
        says = f"The process that reads large documents was ended from outside ({name}), most likely because the "
        return not_read(f"{says}hub's machine has no memory left.")
    return not_read(f"The process that reads large documents ended without an answer (exit code {code}).")


async def _log_errors(process: Process) -> None:
    """Log what *process* says on stderr, once it has ended: Python itself says there why, in lines of its own form."""
    output = b""
    while process.stderr is not None and (piece := await process.stderr.read(_MOST_SAID)):
        output = (output + piece)[:_MOST_SAID]
    if output:
        # It may quote a publisher, who has no say in how a line of the log ends or looks.
        text = re.sub(r"[^\n -~]", lambda match: ascii(match[0])[1:-1], output.decode("utf-8", "replace").strip())
        _log.error("The process that reads large indexes said: %s", text)


async def _exchange(process: Process, request: Iterable[bytes]) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise AssertionError
    process.stdin.writelines(request)
    await process.stdin.drain()
    (length,) = worker.LENGTH.unpack(await process.stdout.readexactly(worker.LENGTH.size))
    return await process.stdout.readexactly(length)
