"""Bounds of the connections of a server: bytes, seconds and files, of each and of all together."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

from shared.problems import StartError
from shared.server.connections import Connections
from shared.server.unread import UnsentBodies

if TYPE_CHECKING:
    from shared.settings import Settings

RESERVED_FILES = 512
"""Handles that no client gets: for 256 look-ups of names and 160 fetches, for data, processes and the listeners."""

AHEAD = 16
"""Connections that the loop may accept before the first of them is counted."""

LEAST_CONNECTIONS = 64
"""A hub for fewer clients does not start: a browser and a proxy take some dozens."""

READ_BYTES = 65536
"""So many bytes of one connection are read at a time."""

LINGER_SECONDS = 2
"""Seconds that a client has to close after the last answer was sent; they are looked at once per tick of the guard."""

# Seconds. Progress and its want are noticed at ticks only, so these are short beside the time limits.
_LONGEST_TICK = 2.5


class ServerBounds:
    """The bounds of one server's connections (seconds, bytes), and the counters that all its connections share."""

    def __init__(self, settings: Settings, files: int) -> None:
        """Take the bounds from *settings*; *files* is how many files the process may have open.

        Raise StartError where these are too few for the hub itself and a few clients.
        """
        most = files - RESERVED_FILES - AHEAD
        if most < LEAST_CONNECTIONS:
            least = RESERVED_FILES + AHEAD + LEAST_CONNECTIONS
            says = f"This process may have {files:,} files open, and the hub needs {least}: {RESERVED_FILES} for itself"
            raise StartError(f"{says}, the others for connections. Raise the limit (ulimit -n, LimitNOFILE, nofile).")
        self.public_url = settings.public
        self.head_bytes = settings.max_head_bytes
        self.receive_seconds: float = settings.receive_seconds
        self.send_seconds: float = settings.send_seconds
        self.idle_seconds: float = settings.idle_seconds
        self.linger_seconds: float = LINGER_SECONDS
        self.tick = min(_LONGEST_TICK, self.receive_seconds / 4, self.send_seconds / 4)
        self.connections = Connections(min(settings.max_connections, most), settings.trusted_proxies)
        self.unread = UnsentBodies(settings.max_unread_bytes, self.connections.most)
        # One for all connections, since what came is copied before the next is read. Otherwise asyncio makes room for
        # 256 KiB at every read, which the C library, as the image sets it, asks of the system and gives back each time.
        self.read_buffer = memoryview(bytearray(READ_BYTES))


def open_files() -> int:
    """Raise this process's limit on open files (RLIMIT_NOFILE) to the hard limit, and return that."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most
