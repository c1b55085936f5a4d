"""How much of each limit is in use, so that people are warned before a limit refuses anything."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.sources import Sources
    from shared.sources.room import ContentRoom

NEAR = 0.8
CGROUP = Path("/sys/fs/cgroup")
# Version 1 of control groups writes a number near 2**63 where no limit is set.
_NO_LIMIT = 1 << 50
_MIB = 1 << 20


class Use(NamedTuple):
    """How much of a limit, *most*, is *used*, both in the unit of the limit."""

    used: float
    most: float

    @property
    def ratio(self) -> float:
        """*used* divided by *most*; more than 1 where the limit was lowered below what was in use."""
        return self.used / self.most


class NearLimit(NamedTuple):
    """A limit of which four fifths are in use, *since* when that was first seen by this process."""

    limit: str
    use: Use
    since: str


class Capacity:
    """Measures the use of each limit at each call, and keeps only since when a limit is near."""

    def __init__(self, sources: Sources, room: ContentRoom, registrations: int, clock: Clock) -> None:
        """Take the limits as they are now; *registrations* and the memory of the *process* may be set later."""
        self._sources = sources
        self._room = room
        self.registrations = registrations
        self._clock = clock
        self.process = ProcessMemory()
        self._since: dict[str, str] = {}

    def uses(self) -> dict[str, Use]:
        """Return the use of each limit: ``registrations``, ``capabilities``, ``mib``, and ``memory`` in MiB.

        ``memory`` is left out where no control group limits it.
        """
        used, most = self._room.used, self._room.most
        uses = {
            "registrations": Use(self._sources.count(), self.registrations),
            "capabilities": Use(used.capabilities, most.capabilities),
            "mib": Use(used.bytes / _MIB, most.bytes / _MIB),
        }
        limit, memory = self.process.limit(), self.process.held()
        if limit is None or memory is None:
            return uses
        return uses | {"memory": Use(memory / _MIB, limit / _MIB)}

    def near(self) -> list[NearLimit]:
        """Return the limits of which at least four fifths are in use."""
        near = {limit: use for limit, use in self.uses().items() if use.ratio >= NEAR}
        self._since = {limit: self._since.get(limit) or self._clock.stamp() for limit in near}
        return [NearLimit(limit, use, self._since[limit]) for limit, use in near.items()]


class ProcessMemory:
    """Reads the memory of this process, and the limit of its control group below the folder *cgroup*."""

    def __init__(self, cgroup: Path = CGROUP) -> None:
        self._cgroup = cgroup

    def held(self) -> int | None:
        """Return the resident bytes of this process and its children, which share the limit.

        None where that can't be read, as when the process has no handle left.
        """
        own = _resident("self")
        if not own:
            return None
        children = Path(f"/proc/self/task/{os.getpid()}/children")
        pids: list[str] = []
        with contextlib.suppress(OSError):  # where the system does not list them
            pids = children.read_text(encoding="ascii").split()
        return sum(map(_resident, pids), own) * os.sysconf("SC_PAGE_SIZE")

    def limit(self) -> int | None:
        """Return the bytes past which the system ends the process (control groups, version 2 or 1), or None."""
        for name in ("memory.max", "memory/memory.limit_in_bytes"):
            try:
                text = (self._cgroup / name).read_text(encoding="ascii").strip()
            except OSError:
                continue
            return int(text) if text.isdecimal() and int(text) < _NO_LIMIT else None
        return None


def _resident(pid: str) -> int:
    """Return the resident pages of the process *pid*; 0 where it has ended, or they can't be read."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
