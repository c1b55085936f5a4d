"""How much the hub keeps over all sources, served or held: a bound on capabilities and on bytes of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from shared.problems import HubFull

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.model.content import Content

_MIB = 1024 * 1024
_SPARE = 8
"""A start may pass the bound on bytes by one part in so many (see ``ContentRoom.admit``)."""



class Size(NamedTuple):
    """The size of a content: its capabilities, and its bytes as JSON."""

    capabilities: int = 0
    bytes: int = 0


def size_of(content: Content | None) -> Size:
    """Return the size of *content*, zero for None."""
    entries = content.entries if content else ()
    return Size(len(entries), sum(len(entry.json) for entry in entries))


class ContentRoom:
    """What all contents take up together (*used*), held within the bounds (*most*).

    What was let in stays for as long as the process runs; ``admit`` says what a start lets in again.
    """

    def __init__(self, capabilities: int, mib: int) -> None:
        self.most = Size(capabilities, mib * _MIB)
        self.used = Size()

    def admit(self, content: Content) -> None:
        """Count *content*, which an earlier process kept, or raise HubFull and count nothing.

        Bytes may pass their bound by an eighth: another version of the hub may write the same capabilities in more of
        them, and what was served before an upgrade goes on being served.
        """
        capabilities, most = self.most
        self._require(Size(), size_of(content), Size(capabilities, most + most // _SPARE))
        self.take(content)

    def reserve(self, leaving: Iterable[Content | None], arriving: Content | None) -> Size:
        """Count by how much *arriving* is larger than all that is *leaving*, and return that, for ``give_back``.

        Raise HubFull, and count nothing, as ``require`` does. What is leaving stays counted: it is there until then.
        """
        leaving = tuple(leaving)
        self.require(leaving, arriving)
        growth = size_of(arriving)
        for content in leaving:
            growth = _sum(growth, size_of(content), -1)
        growth = Size(max(growth.capabilities, 0), max(growth.bytes, 0))
        self.used = _sum(self.used, growth)
        return growth

    def give_back(self, reserved: Size) -> None:
        """Count *reserved*, of ``reserve``, no longer: the content is counted by itself now, or was not stored."""
        self.used = _sum(self.used, reserved, -1)

    def take(self, *contents: Content | None) -> None:
        """Count *contents*, whether there is room or not."""
        for content in contents:
            self.used = _sum(self.used, size_of(content))

    def leave(self, *contents: Content | None) -> None:
        """Count *contents* no longer."""
        for content in contents:
            self.used = _sum(self.used, size_of(content), -1)

    def require(self, leaving: Iterable[Content | None], arriving: Content | None) -> None:
        """Raise HubFull unless *arriving* may take the place of all that is *leaving*: it fits, or takes up no more."""
        old = Size()
        for content in leaving:
            old = _sum(old, size_of(content))
        self._require(old, size_of(arriving), self.most)

    def _require(self, old: Size, new: Size, bounds: Size) -> None:
        used = _sum(_sum(self.used, old, -1), new)
        kinds = ("capabilities", "bytes")
        for size, before, total, bound, most, what in zip(new, old, used, bounds, self.most, kinds, strict=True):
            # What takes no more than it replaces is let in also where the bounds were lowered below what is served.
            if size > before and total > bound:
                raise HubFull(f"The hub would hold {total:,} {what}; it keeps at most {most:,} over all sources.")


def _sum(size: Size, other: Size, sign: int = 1) -> Size:
    return Size(size.capabilities + sign * other.capabilities, size.bytes + sign * other.bytes)
