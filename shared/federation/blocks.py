"""Gzip in blocks: after a change in one place of a document only the blocks there are compressed again."""

from __future__ import annotations

import hashlib
import struct
import threading
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LEAST, MOST = 32 * 1024, 128 * 1024
_CUTS = 8  # one unit in so many may end a block
_WINDOW = 32 * 1024  # as far back as deflate can refer (RFC 1951 §2)
_LEVEL = 6

# RFC 1952 §2.3: deflate, no flags, no time, some Unix; and the empty last block that ends a stream of deflate.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
_END = b"\x03\x00"


def blocks(units: Iterable[bytes | memoryview]) -> Iterator[int]:
    """Yield the sizes in bytes of the blocks, of some 64 KB, into which the joined *units* are cut.

    A block ends where its own units say so, wherever it is in the document (content-defined chunking): a unit that
    grows, comes or goes changes its own block and at most a few that follow.
    """
    size = 0
    for unit in units:
        size += len(unit)
        if size >= MOST or (size >= LEAST and zlib.crc32(unit) % _CUTS == 0):
            yield size
            size = 0
    if size:
        yield size


class Gzip:
    """Compresses similar documents one after the other, and reuses the compressed blocks of the last one.

    The blocks are kept as views of the last result, so that nothing is in memory twice while that is served. The result
    is one plain gzip member (RFC 1952), whose blocks refer back across their borders as in any other. Methods may be
    called in any thread.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, memoryview] = {}
        self._lock = threading.Lock()

    def compress(self, body: bytes, sizes: Iterable[int]) -> bytes:
        """Return the gzip of *body*, cut into blocks of *sizes*; equal arguments always give equal bytes."""
        with self._lock:
            return self._compressed(memoryview(body), sizes)

    def _compressed(self, body: memoryview, sizes: Iterable[int]) -> bytes:
        keys, pieces, start = list[bytes](), list[bytes | memoryview](), 0
        for size in sizes:
            block, before = body[start : start + size], body[max(0, start - _WINDOW) : start]
            keys.append(_digest(before, block))
            pieces.append(self._known.get(keys[-1]) or _deflated(block, before))
            start += size
        end = struct.pack("<II", zlib.crc32(body), len(body) & 0xFFFFFFFF)
        packed = b"".join([_HEADER, *pieces, _END, end])
        self._known = dict(zip(keys, views(packed, pieces, len(_HEADER)), strict=True))
        return packed


def views(whole: bytes, parts: Iterable[bytes | memoryview], start: int = 0) -> Iterator[memoryview]:
    """Yield a view of *whole* for each of *parts*, which follow one another in it from *start* on."""
    view = memoryview(whole)
    for part in parts:
        yield view[start : start + len(part)]
        start += len(part)


def _digest(before: memoryview, block: memoryview) -> bytes:
    digest = hashlib.sha256(before)
    # The length too: else the same bytes, divided at another place, would have the same digest.
    digest.update(len(before).to_bytes(4))
    digest.update(block)
    return digest.digest()


def _deflated(block: memoryview, before: memoryview) -> bytes:
    """Return *block* as deflate that ends at a whole byte, without its end mark; it may refer to the bytes *before*."""
    raw, memory, strategy = -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, raw, memory, strategy, before)
    return squeeze.compress(block) + squeeze.flush(zlib.Z_SYNC_FLUSH)
