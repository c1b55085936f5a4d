"""What the hub's own machine has run out of: no source can help that, and no failure of a source is made of it."""

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
    """Return the problem that *fault* is where it, or what it came from, tells that the machine has run out.

    *lacking* says what was refused where the fault itself does not; without it other faults come to None.
    """
    what = _lacked(fault) or lacking
    if what is None:
        return None
    return not_read(f"The hub's machine has no {what} left to fetch or read with.")


def not_read(says: str) -> Overloaded:
    """Return the problem that a document could not be read for a reason of the hub's own, the sentence *says*."""
    whose = "That is no fault of a source or document."
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return Overloaded(f"{says} {whose} Try again in {RETRY_SECONDS} s.", headers=headers)


def cause(fault: BaseException) -> str:
    """Return in a few words why something of the hub's own failed: what the machine has run out of, or the kind."""
    what = _lacked(fault)
    return f"the machine has no {what} left" if what else type(fault).__name__


def log_failure(log: logging.Logger, says: str, fault: BaseException) -> None:
    """Log that *says* failed: in one line where the machine has run out of something, else with the traceback."""
    log.error("%s: %s", says, cause(fault), exc_info=None if _lacked(fault) else fault)


def _lacked(fault: BaseException) -> str | None:
    return next(filter(None, map(_lacking, causes(fault))), None)


def _lacking(fault: BaseException) -> str | None:
    if isinstance(fault, MemoryError):
        return "memory"
    if isinstance(fault, ThreadRefused):
        return "threads"
    return _LACKING.get(fault.errno or 0) if isinstance(fault, OSError) else None


def causes(fault: BaseException) -> list[BaseException]:
    """Return *fault* and everything that it came from, each once."""
    found, todo = list[BaseException](), deque([fault])
    while todo:
        one = todo.popleft()
        if one not in found:
            found.append(one)
            todo.extend(cause for cause in (one.__cause__, one.__context__) if cause is not None)
    return found
