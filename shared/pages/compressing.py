"""Compressing what is made for one answer."""

from __future__ import annotations

import gzip

from shared.query import weights

_WORTH_IT = 512
_LEVEL = 5


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a caller with this ``Accept-Encoding`` takes gzip, and not rather none (RFC 9110 §12.5.3)."""
    wishes = weights(accept_encoding)
    gzipped = wishes.get("gzip", wishes.get("*", 0.0))
    return gzipped > 0 and gzipped >= wishes.get("identity", 0.0)


def compressed(body: bytes, accept_encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return *body* and its ``Content-Encoding``, in gzip where the caller takes that and it is worth it."""
    if len(body) < _WORTH_IT or not takes_gzip(accept_encoding):
        return body, {}
    return gzip.compress(body, _LEVEL, mtime=0), {"Content-Encoding": "gzip"}
