"""How much of each limit is in use, so that people hear of one that is neared before it refuses something."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from shared.clock import Clock
    from shared.sources.life import Sources
    from shared.sources.room import ContentRoom

NEAR = 0.8
CGROUP = Path("/sys/fs/cgroup")
_NO_LIMIT = 1 << 50
_MIB = 1 << 20


class Use(NamedTuple):
    """How much is *used* of the *most* that there may be."""

    used: float
    most: float

    @property
    def ratio(self) -> float:
        """The part that is used; more than 1 where a limit was lowered below what there was."""
        return self.used / self.most


class Near(NamedTuple):
    """A limit of which four fifths are in use, *since* when that was first seen by this process."""

    limit: str
    use: Use
    since: str


class Capacity:
    """Reads how much is in use whenever somebody asks; remembers only since when a limit is neared."""

    def __init__(self, sources: Sources, room: ContentRoom, registrations: int, clock: Clock) -> None:
        """Take the limits as they are now; *registrations* and the memory of the *process* may be set later."""
        self._sources = sources
        self._room = room
        self.registrations = registrations
        self._clock = clock
        self.process = ProcessMemory()
        self._since: dict[str, str] = {}

    def uses(self) -> dict[str, Use]:
        """Return the use of each limit by its name; memory only where the control group of the process limits it."""
        used, most = self._room.used, self._room.most
        uses = {
            "registrations": Use(len(self._sources.all()), self.registrations),
            "capabilities": Use(used.capabilities, most.capabilities),
            "mib": Use(used.bytes / _MIB, most.bytes / _MIB),
        }
        limit, memory = self.process.limit(), self.process.held()
        if limit is None or memory is None:
            return uses
        return uses | {"memory": Use(memory / _MIB, limit / _MIB)}

    def near(self) -> list[Near]:
        """Return the limits of which at least four fifths are in use."""
        near = {limit: use for limit, use in self.uses().items() if use.ratio >= NEAR}
        self._since = {limit: self._since.get(limit) or self._clock.stamp() for limit in near}
        return [Near(limit, use, self._since[limit]) for limit, use in near.items()]


class ProcessMemory:
    """What the system tells of the memory of this process, and of its control group in the folder *cgroup*."""

    def __init__(self, cgroup: Path = CGROUP) -> None:
        self._cgroup = cgroup

    def held(self) -> int | None:
        """Return the bytes that this process holds and those that it started, because the limit is on all.

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
    """Return the pages of memory that a process holds; none where it has just ended, or that can't be read."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
