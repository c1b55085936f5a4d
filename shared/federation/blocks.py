"""Bytes in blocks, so that of a document that changed in one place only the blocks there are compressed again."""

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
    """Yield the sizes of the blocks of some 64 KB that *units*, joined, are cut into.

    Where a block ends depends on the units there and not on how many went before, so that a unit that grows, comes or
    goes changes the block it lies in and at most a few that follow.
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
    """Compresses documents that are much alike, one after the other, and remembers the blocks of the last one.

    They are remembered as views of what was returned, so that nothing is kept twice while that is served.
    What comes out is one plain gzip member, whose blocks refer back across their borders as in any other. For any
    thread.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, memoryview] = {}
        self._lock = threading.Lock()

    def compress(self, body: bytes, sizes: Iterable[int]) -> bytes:
        """Return the gzip of *body*, cut into blocks of these *sizes*; the same always gives the same bytes."""
        with self._lock:
            return self._compressed(memoryview(body), sizes)

    def _compressed(self, body: memoryview, sizes: Iterable[int]) -> bytes:
        keys, made, start = list[bytes](), list[bytes | memoryview](), 0
        for size in sizes:
            block, before = body[start : start + size], body[max(0, start - _WINDOW) : start]
            keys.append(_digest(before, block))
            made.append(self._known.get(keys[-1]) or _deflated(block, before))
            start += size
        end = struct.pack("<II", zlib.crc32(body), len(body) & 0xFFFFFFFF)
        packed = b"".join([_HEADER, *made, _END, end])
        self._known = dict(zip(keys, views(packed, made, len(_HEADER)), strict=True))
        return packed


def views(whole: bytes, parts: Iterable[bytes | memoryview], start: int = 0) -> Iterator[memoryview]:
    """Yield for each of *parts*, which stand in *whole* one behind the other from *start* on, the view of it there."""
    view = memoryview(whole)
    for part in parts:
        yield view[start : start + len(part)]
        start += len(part)


def _digest(before: memoryview, block: memoryview) -> bytes:
    digest = hashlib.sha256(before)
    # Its length too: else the same bytes, cut elsewhere, would count as the same.
    digest.update(len(before).to_bytes(4))
    digest.update(block)
    return digest.digest()


def _deflated(block: memoryview, before: memoryview) -> bytes:
    """Return *block* compressed to whole bytes that don't end the stream; it may refer to what stands *before* it."""
    raw, memory, strategy = -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, raw, memory, strategy, before)
    return squeeze.compress(block) + squeeze.flush(zlib.Z_SYNC_FLUSH)
