"""How much one client may have under way, and how often a minute it may ask for something. No HTTP.

A client is a name: that of a token, or an address. What is counted lives in memory and is bounded.
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
"""Sources that are tried out at a time, in all and for one token: each may hang for as long as a check may."""


class Pool:
    """So many units of *what*, in use by clients. It keeps a number for each client that has units, and no other."""

    def __init__(self, most: int, what: str, each: int | None = None) -> None:
        """Offer *most* units in all; *each* is how many one client may have, where that is bounded further."""
        self._most, self._what, self._each = most, what, each
        self._in_use: dict[str, int] = {}
        self._sum = 0

    def take(self, client: str, units: int = 1) -> None:
        """Take *units* for *client*, or raise Overloaded and take none.

        A client may have as many as stay free beside it: alone it gets half of them, and whoever comes then gets half
        of the rest, so that only many clients together can leave another without any.
        """
        self.require(client, units)
        if not units:
            # A body may end with a part of no bytes: a client that took none is not in the books.
            return
        self._in_use[client] = self._in_use.get(client, 0) + units
        self._sum += units

    def require(self, client: str, units: int) -> None:
        """Raise Overloaded where *client* can't take *units* now; none at all can always be taken."""
        if not units:
            return
        has, free = self._in_use.get(client, 0) + units, self._most - self._sum - units
        if free < 0:
            raise self._refusal(f"This hub takes {self._most:,} {self._what} at a time, and has no room for more now.")
        # The last one is for whoever has none.
        most = max(free, 1)
        if has > min(most, self._each or most):
            raise self._refusal(
                f"This client has as many {self._what} under way as this hub lets one client have beside the others."
            )

    @staticmethod
    def _refusal(why: str) -> Overloaded:
        return Overloaded(f"{why} Send the request again in a second.", headers={"Retry-After": "1"})

    @contextlib.contextmanager
    def taken(self, client: str) -> Iterator[None]:
        """Take one unit for *client* while a block lasts, or raise Overloaded."""
        self.take(client)
        try:
            yield
        finally:
            self.give_back(client, 1)

    def give_back(self, client: str, units: int) -> None:
        """Give *units* of *client* back, of those that it took."""
        if not units:
            return
        self._sum -= units
        self._in_use[client] -= units
        if not self._in_use[client]:
            del self._in_use[client]

    @property
    def in_use(self) -> int:
        """How many units are taken."""
        return self._sum


class PerMinute:
    """How often each client did *what* within a minute, which starts with the first time; 10,000 clients at most."""

    def __init__(self, most: int, clock: Clock, what: str) -> None:
        self._most, self._clock, self._what = most, clock, what
        self._counted: TTLCache[str, list[float]] = TTLCache(CLIENTS, WINDOW, timer=clock.monotonic)

    def count(self, client: str) -> None:
        """Count one more for *client*, or raise TooManyRequests and count nothing."""
        now = self._clock.monotonic()
        # The entry is changed in place: storing it again would begin its minute anew.
        started = self._counted.setdefault(client, [now, 0])
        if started[1] >= self._most:
            wait = max(1, math.ceil(started[0] + WINDOW - now))
            says = f"This hub takes {self._most:,} {self._what} a minute. Ask again in {wait} s."
            raise TooManyRequests(says, headers={"Retry-After": str(wait)})
        started[1] += 1


class Quotas:
    """What one token may ask for, by whatever way its request comes."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._trials = Pool(TRIALS, "sources to try out", TRIALS_EACH)
        self._writes = PerMinute(settings.writes_per_minute, clock, "writes of one token")
        self._refreshes = PerMinute(settings.refreshes_per_minute, clock, "fetches for one token")

    def count_write(self, author: Author) -> None:
        """Count a write that *author* asks for, or raise TooManyRequests; those of admins are not counted."""
        if author.grant is not None:
            self._writes.count(author.name)

    def count_refresh(self, author: Author) -> None:
        """Count a fetch that *author* asks for, or a ``compose`` of whatever is due, or raise TooManyRequests."""
        self._refreshes.count(author.name)

    @contextlib.contextmanager
    def trial(self, author: Author) -> Iterator[None]:
        """Take one of the few places for sources that are tried out (dry_run), or raise Overloaded."""
        with self._trials.taken(author.name):
            yield
