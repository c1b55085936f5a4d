"""The hosts that sources are read from: how many checks each has at a time, and which want to be left alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.fetch import urls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.sources.source import Source

AT_A_TIME = 8
"""Checks of one host that are at it. The fetcher connects for half of them; the others keep its connections alive."""


class Host:
    """One host. A check has its place (*gate*) first; *cool_until* is on the monotonic clock."""

    def __init__(self) -> None:
        self.gate = asyncio.Semaphore(AT_A_TIME)
        self.cool_until = 0.0
        self.busy = 0
        self.sources: set[Source] = set()


class Hosts:
    """Every host that a source is read from, by its name. The ports of one name are one host."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}

    def enter(self, source: Source) -> None:
        """Give *source* the host of its URL."""
        source.host = self._named(_name(source.registration.url))
        source.host.sources.add(source)

    def leave(self, source: Source, url: str) -> None:
        """Take *source*, which was read from *url*, from its host; a host that wants peace is not forgotten."""
        source.host.sources.discard(source)
        if not source.host.sources and not source.host.cool_until:
            self._hosts.pop(_name(url), None)

    def cool(self, name: str, until: float) -> Iterable[Source]:
        """Leave the host called *name* alone until then; return the sources that have to wait longer than before."""
        host = self._named(name)
        if until <= host.cool_until:
            return ()
        host.cool_until = until
        return host.sources

    def _named(self, name: str) -> Host:
        return self._hosts.setdefault(name, Host())


def _name(url: str) -> str:
    return urls.host(urls.parse(url))
