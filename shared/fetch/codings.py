"""The Content-Encoding of an answer (RFC 9110 §8.4): which codings are read, and gzip within a bound."""

from __future__ import annotations

import zlib

from shared.problems import SourceNotAnIndex, SourceUnreachable

# The registered content codings (IANA, HTTP Content Coding Registry) that change the bytes.
_GZIP = {"gzip", "x-gzip"}
_OTHERS = {"aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "pack200-gzip", "x-compress", "zstd"}
_MEMBER = b"\x1f\x8b\x08"  # how each member of a gzip file begins (RFC 1952 §2.3.1)


def unpacker(content_encoding: str) -> Gunzip | None:
    """Return a decoder for *content_encoding*, None where there is nothing to decode; else raise SourceNotAnIndex.

    The field is a list (RFC 9110 §5.6.1.2): empty members and ``identity`` change nothing, and one gzip is decoded. A
    word that is no registered coding is ignored, because object stores repeat any text that was given at the upload.
    """
    words = [word.strip().lower() for word in content_encoding.split(",")]
    codings = [word for word in words if word in _GZIP | _OTHERS]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _GZIP:
        raise SourceNotAnIndex(
            f"The answer's Content-Encoding is {', '.join(codings)}; the hub reads gzip, applied once, or none."
        )
    return Gunzip()


class Gunzip:
    """Decodes one layer of gzip (RFC 1952: any number of members, zeros behind each) piece by piece, within a bound.

    Both methods raise SourceNotAnIndex for bytes that are no gzip.
    """

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)
        self._begun = False
        self._undecided = b""

    def feed(self, raw: bytes, most: int) -> bytes:
        """Return the next bytes of the document, those in *raw*; stop at *most* bytes, before more are decoded."""
        out = bytearray()
        self._begun = self._begun or bool(raw)
        try:
            while raw and len(out) < most:
                if self._member.eof and not (raw := self._next_member(raw)):
                    break
                out += self._member.decompress(raw, most - len(out))
                raw = self._member.unused_data
        except zlib.error as fault:
            raise SourceNotAnIndex(
                "The answer says Content-Encoding: gzip, but its bytes are not gzip, or were changed on their way."
            ) from fault
        return bytes(out)

    def _next_member(self, raw: bytes) -> bytes:
        """Return the bytes of the member that begins in *raw* behind zeros; none before three bytes are there."""
        raw = (self._undecided + raw).lstrip(b"\0")
        if not _MEMBER.startswith(raw[: len(_MEMBER)]):
            raise _something_follows()
        if len(raw) < len(_MEMBER):
            self._undecided = raw
            return b""
        self._undecided, self._member = b"", zlib.decompressobj(31)
        return raw

    def finish(self) -> None:
        """Raise SourceUnreachable if the last member is incomplete. No byte at all is an empty document."""
        if self._undecided:
            raise _something_follows()
        if self._begun and not self._member.eof:
            raise SourceUnreachable("The answer ends before its gzip does: it was cut off, or the file is incomplete.")


def _something_follows() -> SourceNotAnIndex:
    return SourceNotAnIndex("The answer goes on after the end of its gzip with bytes that are neither gzip nor zeros.")
