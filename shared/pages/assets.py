"""The assets of the pages: style, script and icon, read once, with a digest of their content in their URLs.

Browsers get them in gzip, as they do the pages.
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
# Assets are compressed once; a page is compressed for each request.
_ASSET_LEVEL, _PAGE_LEVEL = 9, 5
# Bytes below which gzip saves less than its own header and trailer cost.
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
    """Return every asset by the name of its file; the first call reads and compresses them."""
    return {path.name: _read(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    version = hashlib.sha256(body).hexdigest()[:16]
    return Asset(body, gzip.compress(body, _ASSET_LEVEL, mtime=0), _TYPES[path.suffix], version)


def address(base: str, name: str) -> str:
    """Return the path of the asset *name* under the public path *base*; it changes with the content of the file."""
    return f"{base}/assets/{name}?v={assets()[name].version}"


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether *accept_encoding* admits gzip, and does not prefer ``identity`` (RFC 9110 §12.5.3)."""
    codings = weights(accept_encoding)
    weight = codings.get("gzip", codings.get("*", 0.0))
    return weight > 0 and weight >= codings.get("identity", 0.0)


def compressed(body: bytes, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return *body* and its ``Content-Encoding``, in gzip where *accept_encoding* admits that and it saves bytes."""
    if len(body) < _WORTH_IT or not takes_gzip(accept_encoding):
        return body, {}
    return gzip.compress(body, _PAGE_LEVEL, mtime=0), {"Content-Encoding": "gzip"}
