"""The background tasks of the hub: each runs for ever, and begins again where it ends all the same."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.shortage import cause, log_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

AGAIN_SECONDS = 1.0
_log = logging.getLogger("hub")


class Background:
    """The *tasks* by name; *troubles* says by the name of a task why it ended, until it is started again.

    That is *again_seconds* later.
    """

    def __init__(self, again_seconds: float = AGAIN_SECONDS) -> None:
        self._again_seconds = again_seconds
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.troubles: dict[str, str] = {}

    def start(self, runs: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        """Begin a task for each of *runs*."""
        for name, run in runs.items():
            self.tasks[name] = asyncio.create_task(self._run(name, run))

    async def end(self) -> None:
        """Cancel every task, and return once all have ended."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    def state(self, name: str, health: str) -> str:
        """Return how the task *name* does: *health* as it tells it, or why it does not run."""
        running = name in self.tasks and not self.tasks[name].done()
        return self.troubles.get(name) or health or "ok" if running else "not running"

    async def _run(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except (Exception, asyncio.CancelledError) as fault:
                task = asyncio.current_task()
                # What the task waited for may be cancelled as well, and is no reason to end.
                if isinstance(fault, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise
                log_failure(_log, f"the task {name} ended, and is started again", fault)
                self.troubles[name] = f"ended ({cause(fault)}); it is started again"
            await asyncio.sleep(self._again_seconds)
            self.troubles.pop(name, None)
