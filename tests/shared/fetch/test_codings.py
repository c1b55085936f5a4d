from __future__ import annotations

import gzip

import pytest

from shared.fetch.codings import unpacker
from shared.problems import SourceNotAnIndex, SourceUnreachable

TEXT = b"version: 1\ncapabilities: []\n"
PACKED = gzip.compress(TEXT, mtime=0)
MOST = 1000


def unpacked(content_encoding: str, *pieces: bytes) -> bytes:
    """Return the document in *pieces*."""
    gunzip = unpacker(content_encoding)
    if gunzip is None:
        return b"".join(pieces)
    document = b"".join([gunzip.feed(piece, MOST) for piece in pieces])
    gunzip.finish()
    return document


@pytest.mark.parametrize(
    "value",
    ["", " ", ",", "identity", "Identity, identity", "aws-chunked", "utf-8", "none", "binary", "text/yaml", "UTF-8,"],
)
def test_what_names_no_coding_changes_nothing(value: str) -> None:
    assert unpacker(value) is None


@pytest.mark.parametrize(
    "value",
    ["gzip", "GZIP ", "x-gzip", "gzip,", ", ,gzip", "identity, gzip", "gzip, identity", "aws-chunked,gzip", "X-Gzip,a"],
)
def test_one_gzip_in_the_list_is_undone(value: str) -> None:
    assert unpacked(value, PACKED) == TEXT


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("br", "is br; the hub reads gzip, applied once, or none"),
        ("zstd", "zstd"),
        ("deflate", "deflate"),
        ("compress", "compress"),
        ("x-compress", "x-compress"),
        ("gzip, gzip", "is gzip, gzip;"),
        ("x-gzip,,GZIP", "is x-gzip, gzip;"),
        ("gzip, br", "is gzip, br;"),
        ("aws-chunked, br", "is br;"),
    ],
)
def test_other_codings_and_a_second_gzip_are_refused(value: str, says: str) -> None:
    with pytest.raises(SourceNotAnIndex, match=says):
        unpacker(value)


def cuts(whole: bytes) -> list[list[bytes]]:
    """Return *whole* in one piece, cut in two at each place, and byte by byte."""
    halves = [[whole[:place], whole[place:]] for place in range(1, len(whole))]
    return [[whole], *halves, [bytes([byte]) for byte in whole]]


@pytest.mark.parametrize(
    ("whole", "text"),
    [
        pytest.param(PACKED + b"\0", TEXT, id="a zero behind"),
        pytest.param(PACKED + bytes(512), TEXT, id="a block of zeros behind"),
        pytest.param(PACKED + PACKED, TEXT * 2, id="two members"),
        pytest.param(PACKED + bytes(8) + PACKED, TEXT * 2, id="zeros between members"),
        pytest.param(PACKED + bytes(3) + PACKED + bytes(3), TEXT * 2, id="zeros between and behind"),
        pytest.param(gzip.compress(b"") + PACKED, TEXT, id="an empty member first"),
    ],
)
def test_zeros_behind_a_member_are_padding_wherever_the_pieces_are_cut(whole: bytes, text: bytes) -> None:
    assert {unpacked("gzip", *pieces) for pieces in cuts(whole)} == {text}


@pytest.mark.parametrize(
    "behind", [b"\n", b"rest", b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x07more", b"\0\0\n", b"\0\x1f", TEXT]
)
def test_other_bytes_behind_are_told_as_what_follows_wherever_the_pieces_are_cut(behind: bytes) -> None:
    for pieces in cuts(PACKED + behind):
        with pytest.raises(SourceNotAnIndex, match="goes on after the end of its gzip"):
            unpacked("gzip", *pieces)


@pytest.mark.parametrize("whole", [PACKED[:-1], PACKED[:20], PACKED[:1], PACKED + PACKED[:-1]])
def test_a_gzip_without_its_end_is_cut_off(whole: bytes) -> None:
    for pieces in cuts(whole):
        with pytest.raises(SourceUnreachable, match="cut off, or the file is incomplete"):
            unpacked("gzip", *pieces)


@pytest.mark.parametrize("whole", [TEXT, bytes(9) + PACKED, PACKED[:-8] + bytes(8), PACKED + PACKED[:-8] + bytes(8)])
def test_bytes_that_are_no_gzip_are_refused(whole: bytes) -> None:
    with pytest.raises(SourceNotAnIndex, match="its bytes are not gzip, or were changed on their way"):
        unpacked("gzip", whole)


def test_no_byte_at_all_is_an_empty_document() -> None:
    assert unpacked("gzip") == b""


def test_pieces_are_bounded_before_they_are_made() -> None:
    gunzip = unpacker("gzip")

    assert gunzip is not None
    assert len(gunzip.feed(gzip.compress(bytes(100_000)), MOST)) == MOST
