"""The file of the client that the hub serves: its own cli.py, read once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.version import VERSION
from shared.web.answers import UNCACHED

_PATH = Path(__file__).resolve().parent.parent / "cli.py"
HEADERS = {**UNCACHED, "Reuse-Surface-Client-Version": VERSION}
"""Headers of answers about the client, whose version is the hub's."""


@dataclass(frozen=True, slots=True)
class ClientFile:
    """The bytes of the file and its SHA-256."""

    body: bytes
    sha256: str

    @property
    def digest_line(self) -> bytes:
        """The digest as ``sha256sum --check`` reads it."""
        return f"{self.sha256}  cli.py\n".encode()

    @property
    def etag(self) -> str:
        """The entity tag of the file."""
        return f'"{self.sha256[:32]}"'

    @property
    def digest_etag(self) -> str:
        """The entity tag of the line with the digest."""
        return f'"{self.sha256[:32]}-sha256"'


@cache
def client_file() -> ClientFile:
    """Return the client's file; the first call reads it."""
    body = _PATH.read_bytes()
    return ClientFile(body, hashlib.sha256(body).hexdigest())
