"""Threads that are started before they are needed, because the system may refuse one at any later moment."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")
_log = logging.getLogger("hub.threads")


class ThreadRefused(RuntimeError):  # noqa: N818 - said by the system, and met as what it refused
    """The system gives the process no thread."""


class Threads(ThreadPoolExecutor):
    """A pool that starts all its threads at once; those that were refused are asked for again when there is work.

    A call that ``submit`` refused never runs. The pool of the standard library puts a call into its queue before it
    asks for a thread: a write whose caller was told that it failed would happen with the next one.
    """

    def __init__(self, count: int, name: str) -> None:
        """Start *count* threads called *name*, or as many of them as the system grants."""
        super().__init__(count, name)
        try:
            for _ in range(count):
                self._adjust_thread_count()
        except (RuntimeError, MemoryError) as fault:
            _log.warning("a thread for %s was refused (%s); it is asked for again when there is work", name, fault)

    def submit(self, call: Callable[..., T], /, *args: Any, **options: Any) -> Future[T]:  # noqa: ANN401 - the call's own
        """Have a thread call *call*; raise ThreadRefused or MemoryError where no thread at all can be had."""
        once = _Call(call)
        try:
            return super().submit(once, *args, **options)
        except BaseException:
            once.withdrawn = True
            raise

    def _adjust_thread_count(self) -> None:
        try:
            super()._adjust_thread_count()
        except (RuntimeError, MemoryError) as fault:
            # The threads that there are will come to it.
            if self._threads:
                return
            if isinstance(fault, MemoryError):
                raise
            raise ThreadRefused(str(fault)) from fault


class _Call:
    """A call that can be withdrawn as long as no thread has begun it."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call
        self.withdrawn = False

    def __call__(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - the call's own
        return None if self.withdrawn else self._call(*args, **options)
