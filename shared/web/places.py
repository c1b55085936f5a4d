"""What requests other than GET may take at a time: places, and bytes of their bodies, so that no client hinders others.

Writers, by the name of their token, and all others, by address, have places and bytes apart from each other. What a
client sends is counted as it comes; a place is taken when the whole body has arrived, so that whoever opens a request
and sends nothing takes neither.
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

    def __init__(self, scope: Scope, writers: BodyRoom, others: BodyRoom, address: Callable[[], str]) -> None:
        self._scope = scope
        self._writers = writers
        self._others = others
        self._address = address
        self._taken: dict[Pool, int] = {}

    @cached_property
    def _place(self) -> tuple[BodyRoom, str]:
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
