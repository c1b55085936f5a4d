"""Places and bytes of bodies that requests other than GET hold at a time, so that no client hinders others.

Writers (by the name of their token) and all other clients (by address) have separate places and bytes. Bytes are
counted as they arrive; a place is held from when the whole body has arrived, so that a client that opens a request and
sends nothing holds neither.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from shared.quotas import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import Scope


class BodyRoom:
    """The places and bytes of one kind of client, writers or all others; one body has at most *most* bytes."""

    def __init__(self, places: int, size: int, clients: str, most: int = 64 * 1024) -> None:
        self.most = most
        self.places = Pool(places, f"requests of {clients}")
        self.bytes = Pool(size, f"bytes of bodies from {clients}")


class Admission:
    """The place and bytes that one request holds, from the first byte of its body until its answer is made.

    It is in ``scope["admission"]``. The request counts for the name of its token from when ``Auth`` has accepted that
    and set ``scope["token_name"]``; before, and without one, for the client's address.
    """

    def __init__(self, scope: Scope, writers: BodyRoom, others: BodyRoom, address: Callable[[], str]) -> None:
        self._scope = scope
        self._writers = writers
        self._others = others
        self._address = address
        self._taken: dict[Pool, int] = {}

    # Cached, so that what was taken for one client is given back for the same.
    @cached_property
    def _place(self) -> tuple[BodyRoom, str]:
        name = self._scope.get("token_name")
        return (self._others, self._address()) if name is None else (self._writers, name)

    @property
    def most_bytes(self) -> int:
        """How many bytes a body of JSON may have."""
        return self._place[0].most

    def foresee(self, size: int) -> None:
        """Raise Overloaded where a body of *size* bytes (``Content-Length``) would not fit now; nothing is taken."""
        room, client = self._place
        room.bytes.require(client, size)

    def receive(self, size: int) -> None:
        """Count *size* bytes that have arrived, or raise Overloaded and count none."""
        self._take(self._place[0].bytes, size)

    def begin(self) -> None:
        """Take a place, or raise Overloaded; call it once, when the body has arrived or none is read."""
        self._take(self._place[0].places, 1)

    def _take(self, pool: Pool, units: int) -> None:
        pool.take(self._place[1], units)
        self._taken[pool] = self._taken.get(pool, 0) + units

    def close(self) -> None:
        """Give place and bytes back; a second call changes nothing."""
        for pool, units in self._taken.items():
            pool.give_back(self._place[1], units)
        self._taken.clear()


def admission_of(request: Request) -> Admission:
    """Return the Admission of *request*, which ``Limits.admission`` put into its scope."""
    admission: Admission = request.scope["admission"]
    return admission
