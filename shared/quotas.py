"""Quotas: how much one client may hold at a time, and how often a minute it may ask for something. No HTTP.

A client is a name: that of a token, or an address. The counts are in memory and bounded.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from cachetools import TTLCache

from shared.problems import Overloaded, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.clock import Clock
    from shared.model.author import Author
    from shared.settings import Settings

WINDOW = 60.0
CLIENTS = 10_000

TRIALS, TRIALS_EACH = 64, 8
"""Sources that are tried out at a time, in all and for one token: each may take as long as a check."""


class Pool:
    """Units that clients hold at a time, called *noun* in refusals; only clients that hold some take memory."""

    def __init__(self, most: int, noun: str, each: int | None = None) -> None:
        """Offer *most* units in all, and at most *each* to one client where that is given."""
        self._most, self._noun, self._each = most, noun, each
        self._in_use: dict[str, int] = {}
        self._sum = 0

    def take(self, client: str, units: int = 1) -> None:
        """Take *units* for *client*, or raise Overloaded and take none.

        A client may hold as many as stay free beside it: alone it gets half of them, and the next client half of the
        rest, so that only many clients together can leave another without any.
        """
        self.require(client, units)
        if not units:
            # A body may end with a part of no bytes; an entry for its client would never be removed.
            return
        self._in_use[client] = self._in_use.get(client, 0) + units
        self._sum += units

    def require(self, client: str, units: int) -> None:
        """Raise Overloaded where *client* can't take *units* now; none at all can always be taken."""
        if not units:
            return
        has, free = self._in_use.get(client, 0) + units, self._most - self._sum - units
        if free < 0:
            raise self._refusal(f"This hub takes {self._most:,} {self._noun} at a time, and has no room for more now.")
        # The last unit is for a client that holds none.
        most = max(free, 1)
        if has > min(most, self._each or most):
            raise self._refusal(
                f"This client holds as many {self._noun} as this hub lets one client hold beside the others."
            )

    @staticmethod
    def _refusal(sentence: str) -> Overloaded:
        return Overloaded(f"{sentence} Send the request again in a second.", headers={"Retry-After": "1"})

    @contextlib.contextmanager
    def taken(self, client: str) -> Iterator[None]:
        """Hold one unit for *client* while the block runs, or raise Overloaded."""
        self.take(client)
        try:
            yield
        finally:
            self.give_back(client, 1)

    def give_back(self, client: str, units: int) -> None:
        """Give back *units* of those that *client* holds."""
        if not units:
            return
        self._sum -= units
        self._in_use[client] -= units
        if not self._in_use[client]:
            del self._in_use[client]

    @property
    def in_use(self) -> int:
        """The units that all clients hold."""
        return self._sum


class PerMinute:
    """Counts what each client does within a minute, called *noun* in refusals; of 10,000 clients at most.

    A client's minute starts with its first request, and its count is dropped with the minute.
    """

    def __init__(self, most: int, clock: Clock, noun: str) -> None:
        self._most, self._clock, self._noun = most, clock, noun
        self._windows: TTLCache[str, list[float]] = TTLCache(CLIENTS, WINDOW, timer=clock.monotonic)

    def count(self, client: str) -> None:
        """Count one more for *client*, or raise TooManyRequests and count nothing."""
        now = self._clock.monotonic()
        # The list is changed in place: storing it again would start its minute anew.
        window = self._windows.setdefault(client, [now, 0])
        if window[1] >= self._most:
            wait = max(1, math.ceil(window[0] + WINDOW - now))
            text = f"This hub takes {self._most:,} {self._noun} a minute. Ask again in {wait} s."
            raise TooManyRequests(text, headers={"Retry-After": str(wait)})
        window[1] += 1


class Quotas:
    """The quotas of tokens, which hold for every way in which a request of a token can come."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._trials = Pool(TRIALS, "sources to try out", TRIALS_EACH)
        self._writes = PerMinute(settings.writes_per_minute, clock, "writes of one token")
        self._refreshes = PerMinute(settings.refreshes_per_minute, clock, "fetches for one token")

    def count_write(self, author: Author) -> None:
        """Count a write of *author*, or raise TooManyRequests; those of admins are not counted."""
        if author.grant is not None:
            self._writes.count(author.name)

    def count_refresh(self, author: Author) -> None:
        """Count a fetch that *author* asks for, or a ``compose`` as one, or raise TooManyRequests."""
        self._refreshes.count(author.name)

    @contextlib.contextmanager
    def trial(self, author: Author) -> Iterator[None]:
        """Hold one of the TRIALS places for sources that are tried out (``dry_run``), or raise Overloaded."""
        with self._trials.taken(author.name):
            yield
