"""A pool of threads that are started before they are needed, because the system may refuse one at any later moment."""

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
    """The system refused to start a thread."""


class Threads(ThreadPoolExecutor):
    """A pool that starts all its threads at once, and tries refused ones again when there is work.

    A call that ``submit`` refused never runs. The pool of the standard library queues a call before it starts a thread:
    a write that was answered as failed would then happen together with the next one.
    """

    def __init__(self, count: int, name: str) -> None:
        """Start *count* threads called *name*, or as many of them as the system allows."""
        super().__init__(count, name)
        try:
            for _ in range(count):
                self._adjust_thread_count()
        except (RuntimeError, MemoryError) as fault:
            _log.warning("a thread for %s was refused (%s); it is asked for again when there is work", name, fault)

    def submit(self, call: Callable[..., T], /, *args: Any, **options: Any) -> Future[T]:  # noqa: ANN401 - the call's own
        """Run *call* in a thread; raise ThreadRefused or MemoryError where there is none and none can be started."""
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
            # The threads that run already will take the call.
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
