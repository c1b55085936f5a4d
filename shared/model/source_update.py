"""What storage has of a source at a start, and the update that a check or an acceptance makes of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from shared.model.record import Record
    from shared.model.stored_content import HeldContent, StoredContent

Ending = Literal["changed", "unchanged", "held", "failed"]


class StoredSource(NamedTuple):
    """What is stored of one source: its last *record*, the last *good* content and the one *held* in its place.

    An engine may have made them durable at different moments; ``shared.sources.restoring`` decides which count.
    """

    record: Record | None = None
    good: StoredContent | None = None
    held: StoredContent | None = None


class SourceUpdate(NamedTuple):
    """Outcome of one check or acceptance, and all that is stored of the source from then on.

    *record* is of the registration that the check began with. *good* and *held* are the contents from then on;
    *writes* names the one of them that has to be written, because its content is new or was read from another URL.
    *drops_held* tells that something was held and is dropped. *wait* is in how many seconds the source is due;
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
