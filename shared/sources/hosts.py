"""The hosts that sources are read from: how many checks each has under way, and until when it is cooling down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.fetch import urls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.sources.source import Source

AT_A_TIME = 8
"""How many checks of one host run at a time. The fetcher has a connection for half of them; the rest wait for one."""


class Host:
    """One host. A check holds its *gate* while it fetches; *busy* counts those that wait for the gate as well.

    *cool_until*, on the monotonic clock, is when the time ends for which a Retry-After asked.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(AT_A_TIME)
        self.cool_until = 0.0
        self.busy = 0
        self.sources: set[Source] = set()

    @property
    def has_room(self) -> bool:
        """Whether one more check would not have to wait for the gate."""
        return self.busy < AT_A_TIME


class Hosts:
    """Every host that a source is read from, by its name. The ports of one name are one host.

    *wake* is set whenever another check may begin: one has ended, or a source has become due out of its turn. *idle*
    is set by the schedule while no check is under way and none is due, and cleared as soon as that is no longer so.
    """

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}
        self._left: dict[str, Host] = {}
        self.checks = 0
        self.wake = asyncio.Event()
        self.idle = asyncio.Event()

    def begin(self, host: Host) -> None:
        """Count one more check of *host*, from now until ``end``."""
        host.busy += 1
        self.checks += 1
        self.idle.clear()

    def end(self, host: Host) -> None:
        """Count one check of *host* less, and let the next one begin."""
        host.busy -= 1
        self.checks -= 1
        self.wake.set()

    def enter(self, source: Source) -> None:
        """Give *source* the host of its URL."""
        source.host = self._named(_name(source.registration.url))
        source.host.sources.add(source)

    def leave(self, source: Source, url: str) -> None:
        """Take *source*, which was read from *url*, from its host. One that asked for a pause is kept until it ends."""
        source.host.sources.discard(source)
        if not source.host.sources:
            name = _name(url)
            if source.host.cool_until:
                self._left[name] = source.host
            else:
                self._hosts.pop(name, None)

    def is_of(self, source: Source, name: str | None) -> bool:
        """Tell whether the host of the registered URL of *source* is called *name*."""
        return name == _name(source.registration.url)

    def cool(self, source: Source, until: float, now: float) -> Iterable[Source]:
        """Check nothing of the host of *source* until then; return the sources that have to wait.

        Once for each wait: while the host is left alone already nothing changes, so that nobody prolongs it for others.
        """
        for name in [name for name, host in self._left.items() if host.cool_until <= now]:
            if not self._left.pop(name).sources:
                self._hosts.pop(name)
        if source.host.cool_until > now:
            return ()
        source.host.cool_until = until
        return source.host.sources

    def _named(self, name: str) -> Host:
        return self._hosts.setdefault(name, Host())


def _name(url: str) -> str:
    return urls.host(urls.parse(url))
