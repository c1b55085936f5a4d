"""Commands to the process of a hub that ``faults/sitecustomize.py`` has entered."""

from __future__ import annotations

import errno
import json
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.faults.sitecustomize import COUNT, KINDS, PAGE

if TYPE_CHECKING:
    from tests.processes import Server

ALWAYS = 1_000_000


class Faults:
    """What goes wrong in a hub on the folder *data*; *file* is shared with its process."""

    def __init__(self, file: Path, data: Path) -> None:
        self._file = file
        self._file.write_bytes(b"\0" * 2 * PAGE)
        self._clock = 0.0
        self.environ = {
            "PYTHONPATH": str(Path(__file__).with_name("faults")),
            "CHAOS_FAULTS": str(file),
            "CHAOS_DATA": str(data),
        }

    def set(self, *kinds: str, error: int = errno.EIO, skip: int = 0, count: int = ALWAYS, kill: int = 0) -> None:
        """Let calls of *kinds* fail from now on, as ``Page`` says; what failed before works again."""
        command: dict[str, object] = {kind: [error, skip, count] for kind in kinds}
        self._write({**command, "clock": self._clock, "kill": kill})

    def clear(self) -> None:
        """Let everything work; the clock stays where it was set."""
        self.set()

    def turn_clock(self, seconds: float) -> None:
        """Let the wall clock be so many seconds off the true time."""
        self._clock = seconds
        self.set()

    def hits(self, *kinds: str) -> int:
        """Return how many calls of *kinds* have failed, or of ``step`` how many there were."""
        with self._file.open("rb") as file:
            file.seek(PAGE)
            counts = [COUNT.unpack(file.read(COUNT.size))[0] for _ in KINDS]
        return sum(count for kind, count in zip(KINDS, counts, strict=True) if kind in kinds)

    def _write(self, command: dict[str, object]) -> None:
        with self._file.open("r+b") as file:
            file.write(json.dumps(command).encode().ljust(PAGE, b"\0"))


def limit_files(server: Server, most: int | None) -> None:
    """Let the hub have no handle of a file or socket from *most* on; None takes the limit away again."""
    _, hard = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (hard if most is None else most, hard))
