"""What requests other than GET may take at a time: places, and bytes of their bodies, so that no client hinders others.

Writers, by the name of their token, and all others, by address, have places and bytes apart from each other. What a
client sends is counted as it comes; a place is taken when the whole body has arrived, so that whoever opens a request
and sends nothing takes neither.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.problems import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Scope


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


class Room:
    """The places and bytes of one kind of client: *who* are writers, or all others. A body has *most* bytes."""

    def __init__(self, places: int, size: int, who: str, most: int = 64 * 1024) -> None:
        self.most = most
        self.places = Pool(places, f"requests of {who}")
        self.bytes = Pool(size, f"bytes of bodies from {who}")


class Admission:
    """What one request takes, from its first byte of a body until its answer is made; *close* gives it back.

    It stands in ``scope["admission"]``. The request counts as a writer's from when ``Auth`` found its token good and
    set ``scope["token_name"]``; before, and without one, for its address.
    """

    def __init__(self, scope: Scope, writers: Room, others: Room, address: Callable[[], str]) -> None:
        self._scope = scope
        self._writers = writers
        self._others = others
        self._address = address
        self._taken: dict[Pool, int] = {}

    @cached_property
    def _place(self) -> tuple[Room, str]:
        name = self._scope.get("token_name")
        return (self._others, self._address()) if name is None else (self._writers, name)

    @property
    def most_bytes(self) -> int:
        """How many bytes a body of JSON may have."""
        return self._place[0].most

    def foresee(self, size: int) -> None:
        """Raise Overloaded where a body of *size* bytes, as it is announced, has no room at this moment."""
        room, client = self._place
        room.bytes.require(client, size)

    def receive(self, size: int) -> None:
        """Count *size* bytes that came, or raise Overloaded."""
        self._take(self._place[0].bytes, size)

    def begin(self) -> None:
        """Take a place, or raise Overloaded; to be called once, when the body has arrived or none is read."""
        self._take(self._place[0].places, 1)

    def _take(self, pool: Pool, units: int) -> None:
        pool.take(self._place[1], units)
        self._taken[pool] = self._taken.get(pool, 0) + units

    def close(self) -> None:
        """Give everything back."""
        for pool, units in self._taken.items():
            pool.give_back(self._place[1], units)
        self._taken.clear()


def admission_of(request: Request) -> Admission:
    """Return what *request* takes."""
    admission: Admission = request.scope["admission"]
    return admission
