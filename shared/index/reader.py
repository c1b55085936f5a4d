"""Reading without standing in anyone's way: small indexes in a thread, large ones in a process of their own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.index import read_index, worker
from shared.index.manifest import sift_manifest
from shared.problems import SourceTooLarge
from shared.threads import Threads

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Coroutine

    from shared.index import Content
    from shared.index.manifest import Sifted

LARGE = 64 * 1024
"""Bytes from which a document goes to the process. Sending it there and starting it costs more below."""

_ROOT = Path(__file__).resolve().parent.parent.parent
_COMMAND = [sys.executable, "-c", "from shared.index.worker import main; main()"]
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
_TO_END = 2.0
_MOST_SAID = 16 * 1024
_log = logging.getLogger("hub.sources")


class Reader:
    """Reads indexes one after the other of each kind, and ends its process when nothing came for a while."""

    def __init__(self, seconds: float = 20.0, idle_seconds: float = 60.0) -> None:
        """Give a large index so many *seconds* in all; the process also bounds its own."""
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        # One thread: more of them would only fight over the interpreter's lock, and with the readers of the hub.
        self._thread = Threads(1, "index")
        self._lock = asyncio.Lock()
        self._process: Process | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending: set[asyncio.Task[None]] = set()

    async def read(self, body: bytes, repo: str, url: str = "") -> Content:
        """Return what the index in *body* says, or raise as read_index does.

        Raise SourceTooLarge too when reading took more time or memory than any index needs.
        """
        loop = asyncio.get_running_loop()
        if len(body) < LARGE:
            return await loop.run_in_executor(self._thread, read_index, body, repo, url)
        async with self._lock:
            answer = await self._ask(body, repo, url)
        return await loop.run_in_executor(self._thread, worker.said, answer)

    async def sift_manifest(self, body: bytes) -> Sifted:
        """Return what is in order in the federation manifest in *body*, or raise as sift_manifest does."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, sift_manifest, body)

    async def _ask(self, body: bytes, repo: str, url: str) -> bytes:
        process = await self._started()
        try:
            async with asyncio.timeout(self._seconds):
                answer = await _exchange(process, body, repo, url)
        except (TimeoutError, EOFError, OSError) as fault:
            # A process that was not asked to its end may still answer; nobody would know to what.
            await _end(self._take(), at_once=True)
            raise SourceTooLarge("Reading the index takes too much time or memory.") from fault
        except BaseException:
            await _end(self._take(), at_once=True)
            raise
        self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._idle)
        return answer

    async def _started(self) -> Process:
        if self._timer:
            self._timer.cancel()
        if self._process is not None and self._process.returncode is not None:
            await _end(self._take(), at_once=True)
        if self._process is None:
            # Not forked: a fork holds the listening socket. Secrets of the environment stay here, and so does Ctrl-C.
            self._process = await asyncio.create_subprocess_exec(
                *_COMMAND,
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
        if not self._lock.locked():
            # Taken away at once: an index that comes before the task runs starts a process of its own.
            self._keep(_end(self._take()))

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


async def _log_errors(process: Process) -> None:
    """Log what *process* says on stderr, once it has ended: Python itself says there why, in lines of its own form."""
    said = b""
    while process.stderr is not None and (piece := await process.stderr.read(_MOST_SAID)):
        said = (said + piece)[:_MOST_SAID]
    if said:
        # It may quote a publisher, who has no say in how a line of the log ends or looks.
        text = re.sub(r"[^\n -~]", lambda one: ascii(one[0])[1:-1], said.decode("utf-8", "replace").strip())
        _log.error("The process that reads large indexes said: %s", text)


async def _exchange(process: Process, body: bytes, repo: str, url: str) -> bytes:
    if process.stdin is None or process.stdout is None:
        raise AssertionError
    process.stdin.writelines(worker.request(body, repo, url))
    await process.stdin.drain()
    (length,) = worker.LENGTH.unpack(await process.stdout.readexactly(worker.LENGTH.size))
    return await process.stdout.readexactly(length)
