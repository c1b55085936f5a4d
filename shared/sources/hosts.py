"""The hosts that sources are read from: how many checks each has under way, and until when it is cooling down."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from shared.fetch import urls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from shared.sources.source import Source

AT_A_TIME = 8
"""How many checks of one host run at a time for one owner of registrations (the token that registered them).

The fetcher has a connection for half of them; the rest wait for one.
"""

IN_ALL = 12
"""How many checks of one host run at a time for all owners: sources of one owner that hang leave room for others'."""

MOST_LEFT = 2000
"""So many hosts that asked for a pause are remembered when no source is read from them any more: some 3 KB for each."""


class Share:
    """What one owner has of a *host*. A check holds both gates while it fetches; *busy* counts those that wait too."""

    def __init__(self, host: Host, owner: str) -> None:
        self.host = host
        self.owner = owner
        self.busy = 0
        self._gate = asyncio.Semaphore(AT_A_TIME)

    @property
    def has_room(self) -> bool:
        """Whether one more check would not have to wait."""
        return self.busy < AT_A_TIME and self.host.busy < IN_ALL

    @contextlib.asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place of the owner and then for one of the host, and hold both."""
        async with self._gate, self.host.gate:
            yield


class Host:
    """One host, with a share for each owner of its sources.

    *cool_until*, on the monotonic clock, is when the time ends for which a Retry-After asked.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(IN_ALL)
        self.cool_until = 0.0
        self._shares: dict[str, Share] = {}
        self.sources: set[Source] = set()

    @property
    def busy(self) -> int:
        """How many checks are under way, or wait for their place."""
        return sum(share.busy for share in self._shares.values())

    def share(self, owner: str) -> Share:
        """Return what *owner* has of this host; it is kept for as long as the host is."""
        if owner not in self._shares:
            self._shares[owner] = Share(self, owner)
        return self._shares[owner]


class Hosts:
    """Every host that a source is read from, by its name. The ports of one name are one host.

    *under_way* says how many *checks* each owner of sources has under way, of those that have any.
    *wake* is set whenever another check may begin: one has ended, or a source has become due out of its turn. *idle*
    is set by the schedule while no check is under way and none is due, and cleared as soon as that is no longer so.
    """

    def __init__(self, most_left: int = MOST_LEFT) -> None:
        """Remember *most_left* hosts that asked for a pause and from which no source is read any more."""
        self._most_left = most_left
        self._hosts: dict[str, Host] = {}
        self._left: dict[str, Host] = {}
        self.checks = 0
        self.under_way: Counter[str] = Counter()
        self.wake = asyncio.Event()
        self.idle = asyncio.Event()

    def begin(self, share: Share) -> None:
        """Count one more check of *share*, from now until ``end``."""
        # First what may find no memory: then nothing is counted.
        self.under_way[share.owner] += 1
        share.busy += 1
        self.checks += 1
        self.idle.clear()

    def end(self, share: Share) -> None:
        """Count one check of *share* less, and let the next one begin."""
        share.busy -= 1
        self.checks -= 1
        self.under_way[share.owner] -= 1
        if not self.under_way[share.owner]:
            del self.under_way[share.owner]
        self.wake.set()

    def enter(self, source: Source) -> Host:
        """Return the host of the URL of *source*, which is one of its sources from now on."""
        host = self._named(_name(source.registration.url))
        host.sources.add(source)
        return host

    def leave(self, source: Source, url: str) -> None:
        """Take *source*, which was read from *url*, from its host. One that asked for a pause is kept until it ends."""
        source.host.sources.discard(source)
        if not source.host.sources:
            name = _name(url)
            if source.host.cool_until:
                self._keep(name, source.host)
            else:
                self._hosts.pop(name, None)

    def _keep(self, name: str, host: Host) -> None:
        """Remember the pause of *host*, from which no source is read; of too many the one that ends first goes."""
        self._left[name] = host
        if len(self._left) > self._most_left:
            first = min(self._left, key=lambda one: self._left[one].cool_until)
            if not self._left.pop(first).sources:
                self._hosts.pop(first)

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
