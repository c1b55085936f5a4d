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
"""So many hosts whose cool-down outlasts their last source are kept, some 3 KB for each.

Without them whoever deregisters a source and registers it again would be free of a Retry-After.
"""


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
        # The owner's gate first: one who waits there must not take a place of the host away from others.
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
        """Return the share of *owner*, made at the first call; it lives as long as the host."""
        if owner not in self._shares:
            self._shares[owner] = Share(self, owner)
        return self._shares[owner]


class Hosts:
    """Every host that a source is read from, by its name. All ports of one name are one host, with one cool-down.

    *under_way* says how many *checks* each owner of sources has under way, of those that have any.
    *wake* is set whenever another check may begin: one has ended, or a source has become due out of its turn. *idle*
    is set by the schedule while no check is under way and none is due, and cleared as soon as that is no longer so.
    """

    def __init__(self, most_left: int = MOST_LEFT) -> None:
        """Keep at most *most_left* hosts in a cool-down from which no source is read any more."""
        self._most_left = most_left
        self._hosts: dict[str, Host] = {}
        self._cooling: dict[str, Host] = {}
        self.checks = 0
        self.under_way: Counter[str] = Counter()
        self.wake = asyncio.Event()
        self.idle = asyncio.Event()

    def begin(self, share: Share) -> None:
        """Count one more check of *share*, from now until ``end``."""
        # The Counter may have to grow, which can raise MemoryError: first, so that nothing is counted by halves.
        self.under_way[share.owner] += 1
        share.busy += 1
        self.checks += 1
        # Here and not when the task runs: whoever waits for *idle* must not see it between the two.
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
        host = self._get(_name(source.registration.url))
        host.sources.add(source)
        return host

    def leave(self, source: Source, url: str) -> None:
        """Take *source*, which was read from *url*, from its host. A host in a cool-down is kept until that ends."""
        source.host.sources.discard(source)
        if not source.host.sources:
            name = _name(url)
            if source.host.cool_until:
                self._keep(name, source.host)
            else:
                self._hosts.pop(name, None)

    def _keep(self, name: str, host: Host) -> None:
        """Keep *host*, from which no source is read any more; of too many the one whose cool-down ends first goes."""
        self._cooling[name] = host
        if len(self._cooling) > self._most_left:
            first = min(self._cooling, key=lambda key: self._cooling[key].cool_until)
            # A host that got sources again since is in use, and only this note about it goes.
            if not self._cooling.pop(first).sources:
                self._hosts.pop(first)

    def is_of(self, source: Source, name: str | None) -> bool:
        """Tell whether the host of the registered URL of *source* is called *name*."""
        return name == _name(source.registration.url)

    def cool(self, source: Source, until: float, now: float) -> Iterable[Source]:
        """Let the host of *source* cool down until *until* (monotonic, as *now*); return the sources that have to wait.

        During a cool-down nothing changes, so that no source prolongs it for the others of its host.
        """
        for name in [name for name, host in self._cooling.items() if host.cool_until <= now]:
            if not self._cooling.pop(name).sources:
                self._hosts.pop(name)
        if source.host.cool_until > now:
            return ()
        source.host.cool_until = until
        return source.host.sources

    def _get(self, name: str) -> Host:
        return self._hosts.setdefault(name, Host())


def _name(url: str) -> str:
    return urls.host(urls.parse(url))
