"""What connections may take, each and all together."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from shared.server.guard import GuardedProtocol
    from shared.settings import Settings

SPARE_FILES = 256
"""Open files that are not for clients: data, sources, the resolver."""

_LONGEST_TICK = 2.5


class Bounds:
    """The bounds of one server's connections, and the bytes that wait for clients that read too slowly."""

    def __init__(self, settings: Settings, files: int) -> None:
        """Take the bounds from *settings*; *files* is how many files the process may have open."""
        self.public_url = settings.public
        self.head_bytes = settings.max_head_bytes
        self.receive_seconds: float = settings.receive_seconds
        self.send_seconds: float = settings.send_seconds
        self.idle_seconds: float = settings.idle_seconds
        self.connections = max(1, min(settings.max_connections, files - SPARE_FILES))
        self.tick = min(_LONGEST_TICK, self.receive_seconds / 4, self.send_seconds / 4)
        self._most_unread = settings.max_unread_bytes
        self._unread: dict[GuardedProtocol, int] = {}
        self._unread_in_all = 0

    def patience(self, phase: object) -> float:
        """Return for how many seconds a client may leave a connection as it is in this *phase*.

        One that has sent nothing yet waits as after an answer: proxies open connections ahead of what they send.
        """
        return self.idle_seconds if phase == "begin" else self.receive_seconds

    def make_room(self, connections: Collection[Any]) -> None:
        """Where there are too many *connections*, close those that are idle longest, a few more than needed."""
        over = len(connections) - self.connections
        if over <= 0:
            return
        idle = sorted((one for one in connections if one.is_idle()), key=lambda one: float(one.idle_since))
        for one in idle[: over + self.connections // 20]:
            one.transport.abort()

    def pauses(self, one: GuardedProtocol, size: int) -> None:
        """Note that *size* bytes wait for the client of *one*; past the bound on all, those that wait longest end."""
        # Kept as a sum, because thousands of readers may pause one after the other, and each of them comes here.
        self._unread_in_all += size - self._unread.get(one, 0)
        self._unread[one] = size
        while self._unread_in_all > self._most_unread:
            oldest = next(iter(self._unread))
            self.reads_on(oldest)
            oldest.transport.abort()

    def reads_on(self, one: GuardedProtocol) -> None:
        """Note that nothing waits for the client of *one*."""
        self._unread_in_all -= self._unread.pop(one, 0)


def open_files() -> int:
    """Allow this process as many open files as the system lets it, and return how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
