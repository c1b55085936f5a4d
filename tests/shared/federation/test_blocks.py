from __future__ import annotations

import gzip
import random
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.federation import blocks as module
from shared.federation.blocks import Gzip, blocks

if TYPE_CHECKING:
    from collections.abc import Callable


def units(count: int, seed: int = 1) -> list[bytes]:
    """Return *count* units of some 3 KB that compress a little."""
    chance = random.Random(seed)  # noqa: S311 - test data
    return [b"".join(b"word%d " % chance.randrange(5000) for _ in range(400)) for _ in range(count)]


def cut(all_units: list[bytes]) -> list[bytes]:
    """Return the blocks that *all_units* make."""
    body, made, start = b"".join(all_units), [], 0
    for size in blocks(iter(all_units)):
        made.append(body[start : start + size])
        start += size
    return made


def test_no_units_make_no_blocks() -> None:
    assert list(blocks([])) == []


@given(st.lists(st.binary(max_size=50)))
def test_the_blocks_are_the_units(few: list[bytes]) -> None:
    assert b"".join(cut(few)) == b"".join(few)


def test_blocks_are_neither_small_nor_large() -> None:
    sizes = list(blocks(units(200)))

    assert len(sizes) > 4
    assert all(module.LEAST <= size < module.MOST + 4096 for size in sizes[:-1])


def test_a_unit_larger_than_a_block_is_a_block() -> None:
    assert list(blocks([bytes(module.MOST * 3), b"x"])) == [module.MOST * 3, 1]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda all_units: [*all_units[:80], b"other", *all_units[81:]], id="another"),
        pytest.param(lambda all_units: all_units[:80] + all_units[81:], id="one less"),
        pytest.param(lambda all_units: [b"new", *all_units], id="one more before all"),
    ],
)
def test_one_changed_unit_changes_few_blocks(change: Callable[[list[bytes]], list[bytes]]) -> None:
    before = units(400)

    after = set(cut(change(before)))

    assert len(after - set(cut(before))) <= 4 < len(after) / 3


def squeezed(parts: list[bytes], squeeze: Gzip | None = None) -> bytes:
    """Return *parts* compressed, each a block."""
    return (squeeze or Gzip()).compress(b"".join(parts), map(len, parts))


@given(st.lists(st.binary(min_size=1, max_size=200)))
def test_any_reader_of_gzip_reads_the_parts(parts: list[bytes]) -> None:
    made = squeezed(parts)

    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert gzip.decompress(made) == b"".join(parts)
    # One member, and nothing after it: some readers stop at the end of the first.
    assert reader.decompress(made) == b"".join(parts)
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_is_nearly_as_small_as_in_one_piece() -> None:
    parts = cut(units(200))

    assert len(squeezed(parts)) < 1.02 * len(gzip.compress(b"".join(parts), 6))


def test_what_was_compressed_before_leaves_no_trace() -> None:
    one, other = cut(units(100)), cut(units(90, seed=2) + units(10))
    used = Gzip()
    squeezed(one, used)

    assert squeezed(other, used) == squeezed(other)
    assert squeezed(one, used) == squeezed(one)


def test_compresses_again_only_what_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = []

    def counted(block: memoryview, before: memoryview) -> bytes:
        pressed.append(bytes(block))
        return deflated(block, before)

    deflated = module._deflated
    monkeypatch.setattr(module, "_deflated", counted)
    parts = [bytes([letter]) * module.MOST for letter in b"abcd"]
    squeeze = Gzip()
    squeezed(parts, squeeze)
    pressed.clear()

    squeezed(parts, squeeze)
    assert pressed == []
    squeezed([parts[0], b"x", *parts[2:]], squeeze)
    assert pressed == [b"x", parts[2]]  # the one after it could refer to what is no longer there


def test_remembers_no_more_than_the_last_document() -> None:
    squeeze = Gzip()
    for seed in range(5):
        parts = cut(units(40, seed))
        squeezed(parts, squeeze)

    assert len(squeeze._known) == len(parts)


def test_keeps_no_second_copy_of_what_it_returned() -> None:
    squeeze = Gzip()
    for seed in range(2):
        packed = squeezed(cut(units(40, seed)), squeeze)

    assert all(view.obj is packed for view in squeeze._known.values())
