"""All that is kept of a source, and what one check or one acceptance makes of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from shared.model.record import Record
    from shared.model.stored_content import HeldContent, StoredContent

Ending = Literal["changed", "unchanged", "held", "failed"]


class StoredSource(NamedTuple):
    """What a start finds of one source: the last *record*, the last *good* content and what is *held* in its place.

    An engine may have made them durable at different moments, so whoever reads them decides which of them count.
    """

    record: Record | None = None
    good: StoredContent | None = None
    held: StoredContent | None = None


class SourceUpdate(NamedTuple):
    """What one check or one acceptance came to: all that is known of the source from then on.

    *record* belongs to the registration for which it was begun. *good* and *held* are what is kept from then on;
    *writes* names the one of them that has to be written, because its content is new or was read from another URL.
    *drops_held* tells that something was held and is kept no longer. *wait* is in how many seconds the source is due;
    after an acceptance it is None: that changes nothing about the next check.
    """

    outcome: Ending
    record: Record
    good: StoredContent | None
    held: HeldContent | None
    writes: Literal["good", "held"] | None = None
    drops_held: bool = False
    wait: float | None = None

    @property
    def to_write(self) -> StoredContent | None:
        """The content that has to be written, None for none."""
        if self.writes == "held":
            return self.held.stored if self.held else None
        return self.good if self.writes else None
