"""The background tasks of the hub: each runs until the hub ends, and is restarted where it fails before."""

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
    """Runs *tasks*, by name, and restarts one that ended after *again_seconds*; until then *troubles* says why."""

    def __init__(self, again_seconds: float = AGAIN_SECONDS) -> None:
        self._again_seconds = again_seconds
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.troubles: dict[str, str] = {}

    def start(self, runs: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        """Start a task for each of *runs*, by name; each call runs for ever, and is called again where it returns."""
        for name, run in runs.items():
            self.tasks[name] = asyncio.create_task(self._run(name, run))

    async def end(self) -> None:
        """Cancel every task, and return once all have ended."""
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    def state(self, name: str, health: str) -> str:
        """Return *health* of the task *name*, ``ok`` where that is empty, or why the task does not run."""
        running = name in self.tasks and not self.tasks[name].done()
        return self.troubles.get(name) or health or "ok" if running else "not running"

    async def _run(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await run()
            except (Exception, asyncio.CancelledError) as fault:
                task = asyncio.current_task()
                # A future that the task awaits may be cancelled too; only a cancelled task itself has to end.
                if isinstance(fault, asyncio.CancelledError) and task is not None and task.cancelling():
                    raise
                log_failure(_log, f"the task {name} ended, and is started again", fault)
                self.troubles[name] = f"ended ({cause(fault)}); it is started again"
            await asyncio.sleep(self._again_seconds)
            self.troubles.pop(name, None)
