"""Shortages of the hub's own machine (files, ports, memory, threads): they count as failures of no source."""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Literal, overload

from shared.problems import Overloaded
from shared.threads import ThreadRefused

if TYPE_CHECKING:
    import logging

RETRY_SECONDS = 30
_LACKING = {
    errno.EMFILE: "open files",
    errno.ENFILE: "open files",
    errno.EADDRNOTAVAIL: "local ports",
    errno.ENOBUFS: "memory",
    errno.ENOMEM: "memory",
}
Lacking = Literal["threads", "processes", "processor time", "memory"]


@overload
def shortage(fault: BaseException, lacking: Lacking) -> Overloaded: ...
@overload
def shortage(fault: BaseException) -> Overloaded | None: ...
def shortage(fault: BaseException, lacking: Lacking | None = None) -> Overloaded | None:
    """Return Overloaded where *fault*, or one of its causes, is a shortage of the machine, else None.

    With *lacking*, the name of the resource that was refused, any other *fault* counts as a shortage of that.
    """
    resource = _lacked(fault) or lacking
    if resource is None:
        return None
    return not_read(f"The hub's machine has no {resource} left to fetch or read with.")


def not_read(sentence: str) -> Overloaded:
    """Return Overloaded for a document that could not be read for a reason of the hub's own, said in *sentence*."""
    excuse = "That is no fault of a source or document."
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Overloaded(f"{sentence} {excuse} Try again in {RETRY_SECONDS} s.", headers=headers)


def cause(fault: BaseException) -> str:
    """Return the cause of *fault* in a few words: the resource that the machine lacks, or the name of its class."""
    resource = _lacked(fault)
    return f"the machine has no {resource} left" if resource else type(fault).__name__


def log_failure(log: logging.Logger, sentence: str, fault: BaseException) -> None:
    """Log *sentence* and the cause of *fault*: in one line for a shortage of the machine, else with the traceback."""
    log.error("%s: %s", sentence, cause(fault), exc_info=None if _lacked(fault) else fault)


def _lacked(fault: BaseException) -> str | None:
    return next(filter(None, map(_lacking, causes(fault))), None)


def _lacking(fault: BaseException) -> str | None:
    if isinstance(fault, MemoryError):
        return "memory"
    if isinstance(fault, ThreadRefused):
        return "threads"
    return _LACKING.get(fault.errno or 0) if isinstance(fault, OSError) else None


def causes(fault: BaseException) -> list[BaseException]:
    """Return *fault* and all exceptions in its chains of ``__cause__`` and ``__context__``, each once."""
    chain, todo = list[BaseException](), deque([fault])
    while todo:
        error = todo.popleft()
        if error not in chain:
            chain.append(error)
            todo.extend(cause for cause in (error.__cause__, error.__context__) if cause is not None)
    return chain
