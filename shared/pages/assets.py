"""What the pages load: style, script and icon, files of this repository, read once and named by what is in them.

Browsers take them in gzip, as they do the pages.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from shared.web.query import weights

_FOLDER = Path(__file__).resolve().parent / "assets"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_ASSET_LEVEL, _PAGE_LEVEL = 9, 5
_WORTH_IT = 512


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, the same in gzip, its media type and the digest that names its version."""

    body: bytes
    gzipped: bytes
    media_type: str
    version: str


@cache
def assets() -> dict[str, Asset]:
    """Return every asset by the name of its file."""
    return {path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    version = hashlib.sha256(body).hexdigest()[:16]
    return Asset(body, gzip.compress(body, _ASSET_LEVEL, mtime=0), _TYPES[path.suffix], version)


def address(base: str, name: str) -> str:
    """Return where a page of a hub under the path *base* finds the asset *name*; it changes with the file's content."""
    return f"{base}/assets/{name}?v={assets()[name].version}"


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a caller with this ``Accept-Encoding`` takes gzip, and not rather none (RFC 9110 §12.5.3)."""
    wishes = weights(accept_encoding)
    gzipped = wishes.get("gzip", wishes.get("*", 0.0))
    return gzipped > 0 and gzipped >= wishes.get("identity", 0.0)


def compressed(body: bytes, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return *body* and its ``Content-Encoding``, in gzip where the caller takes that and it is worth it."""
    if len(body) < _WORTH_IT or not takes_gzip(accept_encoding):
        return body, {}
    return gzip.compress(body, _PAGE_LEVEL, mtime=0), {"Content-Encoding": "gzip"}
